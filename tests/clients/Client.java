// The queries through pgjdbc: repeated until it switches to named statements and
// binary values, then with a fetch size, which holds a portal open between
// fetches inside a transaction.
//
//   java -cp postgresql.jar Client.java queries.txt      (the server: PGHOST and the like)

import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.time.temporal.ChronoField;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.TimeZone;
import java.util.UUID;
import java.util.regex.Pattern;

public class Client {
    record Parameter(String type, String value) {}

    record Query(String name, String sql, List<Parameter> parameters, List<String> rows) {}

    static final Pattern PLACE = Pattern.compile("\\$([0-9]+)");

    static final DateTimeFormatter TIMESTAMP =
            new DateTimeFormatterBuilder()
                    .appendPattern("uuuu-MM-dd HH:mm:ss")
                    .appendFraction(ChronoField.MICRO_OF_SECOND, 0, 6, true)
                    .toFormatter();

    static int wrong = 0;

    public static void main(String[] arguments) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        var queries = read(Path.of(arguments[0]));
        var environment = System.getenv();
        var login = new Properties();
        login.setProperty("user", environment.get("PGUSER"));
        login.setProperty("password", environment.get("PGPASSWORD"));
        var url =
                "jdbc:postgresql://%s:%s/%s"
                        .formatted(
                                environment.get("PGHOST"),
                                environment.get("PGPORT"),
                                environment.get("PGDATABASE"));
        try (var connection = DriverManager.getConnection(url, login)) {
            for (var query : queries) {
                repeat(connection, query);
                fetch(connection, query);
            }
        }
        System.out.println(queries.size() + " queries");
        System.exit(wrong > 0 ? 1 : 0);
    }

    /** From the fifth execution on pgjdbc names the statement and asks for binary. */
    static void repeat(Connection connection, Query query) throws SQLException {
        try (var statement = prepare(connection, query)) {
            for (int turn = 1; turn <= 8; turn++) {
                check(query, "execution " + turn, statement);
            }
            int columns = statement.getMetaData().getColumnCount();
            if (!query.rows.isEmpty() && columns != query.rows.get(0).split("\t", -1).length) {
                wrong++;
                System.out.println(query.name + ": " + columns + " columns described");
            }
        }
    }

    static void fetch(Connection connection, Query query) throws SQLException {
        connection.setAutoCommit(false);
        try (var statement = prepare(connection, query)) {
            statement.setFetchSize(2);
            for (int turn = 1; turn <= 6; turn++) {
                check(query, "fetch size 2, execution " + turn, statement);
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void check(Query query, String way, PreparedStatement statement) throws SQLException {
        var found = new ArrayList<String>();
        try (var rows = statement.executeQuery()) {
            int columns = rows.getMetaData().getColumnCount();
            while (rows.next()) {
                var row = new ArrayList<String>();
                for (int column = 1; column <= columns; column++) {
                    row.add(text(rows, column));
                }
                found.add(String.join("\t", row));
            }
        }
        if (!found.equals(query.rows)) {
            wrong++;
            System.out.printf(
                    "%s, %s:%n  expected %s%n  found    %s%n", query.name, way, query.rows, found);
        }
    }

    /** JDBC counts places, so a parameter named twice is bound twice. */
    static PreparedStatement prepare(Connection connection, Query query) throws SQLException {
        var statement = connection.prepareStatement(PLACE.matcher(query.sql).replaceAll("?"));
        int place = 1;
        for (var found = PLACE.matcher(query.sql); found.find(); place++) {
            var parameter = query.parameters.get(Integer.parseInt(found.group(1)) - 1);
            bind(connection, statement, place, parameter);
        }
        return statement;
    }

    static void bind(Connection connection, PreparedStatement statement, int place, Parameter parameter)
            throws SQLException {
        var value = parameter.value;
        if (value == null) {
            statement.setNull(place, parameter.type.equals("text") ? Types.VARCHAR : Types.INTEGER);
            return;
        }
        switch (parameter.type) {
            case "int4" -> statement.setInt(place, Integer.parseInt(value));
            case "int8" -> statement.setLong(place, Long.parseLong(value));
            case "numeric" -> statement.setBigDecimal(place, new BigDecimal(value));
            case "float8" -> statement.setDouble(place, Double.parseDouble(value));
            case "text" -> statement.setString(place, value);
            case "bool" -> statement.setBoolean(place, value.equals("t"));
            case "date" -> statement.setObject(place, LocalDate.parse(value));
            case "timestamp" -> statement.setObject(place, LocalDateTime.parse(value.replace(' ', 'T')));
            case "timestamptz" ->
                    statement.setObject(place, OffsetDateTime.parse(value.replace(' ', 'T')));
            case "uuid" -> statement.setObject(place, UUID.fromString(value));
            case "bytea" -> statement.setBytes(place, HexFormat.of().parseHex(value.substring(2)));
            case "int4[]" -> {
                var elements = new ArrayList<Integer>();
                for (var element : value.substring(1, value.length() - 1).split(",")) {
                    elements.add(Integer.valueOf(element));
                }
                statement.setArray(place, connection.createArrayOf("int4", elements.toArray()));
            }
            default -> throw new IllegalArgumentException(parameter.type);
        }
    }

    /** A value, decoded by the driver, as Postgres writes it. */
    static String text(ResultSet rows, int column) throws SQLException {
        var type = rows.getMetaData().getColumnTypeName(column);
        Object value =
                switch (type) {
                    case "date" -> rows.getObject(column, LocalDate.class);
                    case "timestamp" -> rows.getObject(column, LocalDateTime.class);
                    case "timestamptz" -> rows.getObject(column, OffsetDateTime.class);
                    default -> rows.getObject(column);
                };
        if (value == null) return "\\N";
        if (value instanceof Boolean b) return b ? "t" : "f";
        if (value instanceof BigDecimal n) return n.toPlainString();
        if (value instanceof Double d && d == Math.rint(d)) return Long.toString(d.longValue());
        if (value instanceof byte[] bytes) return "\\x" + HexFormat.of().formatHex(bytes);
        if (value instanceof LocalDateTime t) return TIMESTAMP.format(t);
        if (value instanceof OffsetDateTime t) {
            return TIMESTAMP.format(t.withOffsetSameInstant(ZoneOffset.UTC)) + "+00";
        }
        if (value instanceof Array array) return array((Object[]) array.getArray());
        return value.toString();
    }

    static String array(Object[] elements) {
        var parts = new ArrayList<String>();
        for (var element : elements) {
            var text = String.valueOf(element);
            boolean quote = text.isEmpty() || text.matches("(?s).*[ ,\"\\\\{}].*");
            if (element == null) {
                parts.add("NULL");
            } else if (quote) {
                parts.add('"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"');
            } else {
                parts.add(text);
            }
        }
        return "{" + String.join(",", parts) + "}";
    }

    static List<Query> read(Path path) throws Exception {
        var found = new ArrayList<Query>();
        String name = null;
        for (var line : Files.readAllLines(path)) {
            int space = line.indexOf(' ');
            if (space < 0) {
                continue;
            }
            var rest = line.substring(space + 1);
            switch (line.substring(0, space)) {
                case "query" -> name = rest;
                case "sql" -> found.add(new Query(name, rest, new ArrayList<>(), new ArrayList<>()));
                case "param" -> {
                    var parts = rest.split(" ", 2);
                    var value = parts[1].equals("\\N") ? null : parts[1];
                    found.get(found.size() - 1).parameters.add(new Parameter(parts[0], value));
                }
                case "row" -> found.get(found.size() - 1).rows.add(rest);
                default -> {}
            }
        }
        return found;
    }
}
