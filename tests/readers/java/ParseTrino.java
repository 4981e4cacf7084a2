import io.trino.sql.parser.SqlParser;
import io.trino.sql.tree.ColumnDefinition;
import io.trino.sql.tree.CreateTable;
import io.trino.sql.tree.Property;
import java.nio.file.Files;
import java.nio.file.Path;

/** Parses the CREATE TABLE statement in FILE as Trino does, and prints its columns and the names of its properties. */
final class ParseTrino {
    public static void main(String[] arguments) throws Exception {
        String statement = Files.readString(Path.of(arguments[0])).strip().replaceFirst(";$", "");
        var table = (CreateTable) new SqlParser().createStatement(statement);
        for (var element : table.getElements()) {
            var column = (ColumnDefinition) element;
            System.out.println("column " + column.getName() + " " + column.getType());
            column.getProperties().forEach(property -> print(column.getName() + " property", property));
        }
        table.getProperties().forEach(property -> print("property", property));
    }

    private static void print(String what, Property property) {
        System.out.println(what + " " + property.getName() + " " + property.getNonDefaultValue());
    }
}
