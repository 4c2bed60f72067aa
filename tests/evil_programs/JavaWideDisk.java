// attack: hide files from Java in folders that are listed last
// kind: program
// expect: disk_limit
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

public class JavaWideDisk {
    public static void main(String[] arguments) throws Exception {
        for (int number = 0; number < 700; number++) {
            Files.createDirectory(Path.of("folder" + number));
        }
        try (Stream<Path> all = Files.list(Path.of("."))) {
            for (Path folder : all.filter(Files::isDirectory).skip(500).toList()) {
                Files.write(folder.resolve("file"), new byte[2 << 20]);
            }
            System.out.println("ESCAPED: 400 MiB in many folders");
        } catch (IOException error) {
            System.out.println("refused: " + error);
        }
        Thread.sleep(2000);
    }
}
