// attack: read the virtual machine's own memory: Unsafe, a dump of the heap
// kind: program
// expect: passed
import java.lang.management.ManagementFactory;
import java.util.concurrent.Callable;
import javax.management.ObjectName;

public class JavaMemoryOfMachine {
    static Object dump() throws Exception {
        ManagementFactory.getPlatformMBeanServer().invoke(
            new ObjectName("com.sun.management:type=HotSpotDiagnostic"), "dumpHeap",
            new Object[] {"heap.hprof", true}, new String[] {"java.lang.String", "boolean"});
        return "a dump of the heap";
    }

    public static void main(String[] arguments) {
        Callable<?>[] attempts = {
            () -> Class.forName("sun.misc.Unsafe"),
            JavaMemoryOfMachine::dump};
        for (Callable<?> attempt : attempts) {
            try {
                System.out.println("ESCAPED: " + attempt.call());
            } catch (Exception error) {
                System.out.println("refused: " + error);
            }
        }
        System.out.println("contained");
    }
}
