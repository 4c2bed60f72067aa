// attack: fill the disk from Java with deleted files that stay mapped
// kind: program
// expect: disk_limit, memory
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

public class JavaDisk {
    public static void main(String[] arguments) throws Exception {
        List<MappedByteBuffer> held = new ArrayList<>();
        Path path = Path.of("file");
        try {
            for (int number = 0; number < 100; number++) {
                try (FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE,
                        StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                    channel.write(ByteBuffer.allocate(4 << 20));
                    held.add(channel.map(FileChannel.MapMode.READ_ONLY, 0, 4096));
                }
                Files.delete(path);
            }
            System.out.println("ESCAPED: 400 MiB in " + held.size() + " mapped files");
        } catch (java.io.IOException error) {
            System.out.println("refused: " + error);
        }
        Thread.sleep(2000);
    }
}
