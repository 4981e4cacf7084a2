import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.List;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.file.DataFileReader;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;

/** Reads the files in FOLDER/data/dt=.../ and writes every record to OUTPUT, a JSON object a line; prints the average. */
final class ReadArticles {
    public static void main(String[] arguments) throws IOException {
        Path folder = Path.of(arguments[0]);
        PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + folder + "/data/dt=*/*.avro");
        List<Path> files;
        try (Stream<Path> all = Files.walk(folder)) {
            files = all.filter(matcher::matches).sorted().toList();
        }
        long words = 0;
        long count = 0;
        try (JsonGenerator output = new JsonFactory().createGenerator(Files.newBufferedWriter(Path.of(arguments[1]), StandardCharsets.UTF_8))) {
            output.setRootValueSeparator(new com.fasterxml.jackson.core.io.SerializedString("\n"));
            for (Path file : files) {
                try (var articles = new DataFileReader<GenericRecord>(file.toFile(), new GenericDatumReader<>())) {
                    for (GenericRecord article : articles) {
                        words += (Integer) article.get("word_count");
                        count++;
                        write(article, output);
                    }
                }
            }
        }
        System.out.println("[" + (double) words / count + ", " + words + ", " + count + "]");
    }

    private static void write(GenericRecord article, JsonGenerator output) throws IOException {
        output.writeStartObject();
        for (Schema.Field field : article.getSchema().getFields()) {
            output.writeFieldName(field.name());
            Object value = article.get(field.pos());
            if (value == null) {
                output.writeNull();
            } else if (value instanceof Number number) {
                output.writeNumber(number.longValue());
            } else {
                output.writeString(value.toString());
            }
        }
        output.writeEndObject();
    }
}
