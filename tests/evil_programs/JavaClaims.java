// attack: end with words that the virtual machine says about memory and disk, from a handler of its own
// kind: program
// expect: crashed
public class JavaClaims {
    public static void main(String[] arguments) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> System.err.println("bye")));
        throw new IllegalStateException("java.lang.OutOfMemoryError: No space left on device");
    }
}
