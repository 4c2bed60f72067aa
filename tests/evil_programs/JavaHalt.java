// attack: end with exit code 0 before anything was answered
// kind: answering program
// expect: failed
public class JavaHalt {
    static {
        Runtime.getRuntime().halt(0);
    }

    public static void main(String[] arguments) {
        System.out.println("the wrong answer");
    }
}
