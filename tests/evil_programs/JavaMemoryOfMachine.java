// attack: read the virtual machine's own memory: Unsafe, a dump of the heap, a library of its own
// kind: program
// expect: passed
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import javax.management.ObjectName;

public class JavaMemoryOfMachine {
    static Object dump() throws Exception {
        ManagementFactory.getPlatformMBeanServer().invoke(
            new ObjectName("com.sun.management:type=HotSpotDiagnostic"), "dumpHeap",
            new Object[] {"heap.hprof", true}, new String[] {"java.lang.String", "boolean"});
        return "a dump of the heap";
    }

    static Object library() throws Exception {
        Path library = Path.of("libevil.so").toAbsolutePath();
        try (var all = Files.walk(Path.of(System.getProperty("java.home"), "lib"))) {
            Files.copy(all.filter(p -> p.endsWith("libzip.so")).findFirst().orElseThrow(), library);
        }
        System.load(library.toString());
        return "a library out of the scratch folder";
    }

    public static void main(String[] arguments) {
        Callable<?>[] attempts = {
            () -> Class.forName("sun.misc.Unsafe"),
            JavaMemoryOfMachine::dump,
            JavaMemoryOfMachine::library};
        for (Callable<?> attempt : attempts) {
            try {
                System.out.println("ESCAPED: " + attempt.call());
            } catch (Exception | UnsatisfiedLinkError error) {
                System.out.println("refused: " + error);
            }
        }
        System.out.println("contained");
    }
}
