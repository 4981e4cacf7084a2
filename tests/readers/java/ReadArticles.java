import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.io.SerializedString;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.avro.Schema;
import org.apache.avro.file.DataFileStream;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import software.amazon.awssdk.services.s3.S3Client;

/** Writes every record of BUCKET below PREFIX to OUTPUT, a JSON object a line; prints average, words, records. */
final class ReadArticles {
    private static long words = 0;
    private static long count = 0;

    public static void main(String[] arguments) throws IOException {
        try (var output = new JsonFactory().createGenerator(Files.newBufferedWriter(Path.of(arguments[2])))) {
            output.setRootValueSeparator(new SerializedString("\n"));
            read(arguments[0], arguments[1], output);
        }
        System.out.println("[" + (double) words / count + ", " + words + ", " + count + "]");
    }

    private static void read(String bucket, String prefix, JsonGenerator output) throws IOException {
        S3Client s3 = S3Client.create();
        var files = s3.listObjectsV2Paginator(request -> request.bucket(bucket).prefix(prefix + "/data/"));
        for (var file : files.contents()) {
            var body = s3.getObject(request -> request.bucket(bucket).key(file.key()));
            try (var articles = new DataFileStream<GenericRecord>(body, new GenericDatumReader<>())) {
                for (GenericRecord article : articles) {
                    write(article, output);
                    words += (Integer) article.get("word_count");
                    count++;
                }
            }
        }
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
