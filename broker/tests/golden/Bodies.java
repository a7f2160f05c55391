// Writes, for the API keys of golden/messages.txt, what the request log needs:
//   java -cp 'KAFKA_JARS/*' Bodies.java schemas < messages.txt > ../../src/protocol/schemas.txt   their fields, from the definitions in Kafka's jars
//   java -cp 'KAFKA_JARS/*' Bodies.java bodies < messages.txt > bodies.txt                        the messages there as JSON, by Kafka's converters
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.Method;
import java.net.JarURLConnection;
import java.nio.ByteBuffer;
import java.util.*;
import java.util.jar.JarEntry;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiMessage;

import org.apache.kafka.common.protocol.ByteBufferAccessor;

public class Bodies {
    public static void main(String[] args) throws Exception {
        List<String[]> lines = new ArrayList<>();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (!line.startsWith("#") && !line.isBlank()) lines.add(line.split(" "));
        }
        if (args[0].equals("bodies")) bodies(lines); else schemas(lines);
    }

    static void bodies(List<String[]> lines) throws Exception {
        System.out.println("# The messages of messages.txt, as Kafka 4.3's request log has them: API key, version, kind, JSON. Bodies.java writes it.");
        for (String[] line : lines) {
            short version = Short.parseShort(line[1]);
            ApiMessageType api = ApiMessageType.fromApiKey(Short.parseShort(line[0]));
            ApiMessage message = line[2].equals("request") ? api.newRequest() : api.newResponse();
            byte[] bytes = HexFormat.of().parseHex(line.length > 3 ? line[3] : "");
            message.read(new ByteBufferAccessor(ByteBuffer.wrap(bytes)), version);
            Method write = Class.forName(message.getClass().getName() + "JsonConverter")
                .getMethod("write", message.getClass(), short.class, boolean.class);
            System.out.println(line[0] + " " + line[1] + " " + line[2] + " " + write.invoke(null, message, version, false));
        }
    }

    static void schemas(List<String[]> lines) throws Exception {
        Set<Integer> wanted = new HashSet<>();
        for (String[] line : lines) wanted.add(Integer.parseInt(line[0]));
        ObjectMapper json = new ObjectMapper().configure(JsonParser.Feature.ALLOW_COMMENTS, true);
        String first = "common/message/ProduceRequest.json";
        JarURLConnection jar = (JarURLConnection) ApiMessage.class.getClassLoader().getResource(first).openConnection();
        TreeMap<String, String> messages = new TreeMap<>();
        for (JarEntry entry : Collections.list(jar.getJarFile().entries())) {
            if (!entry.getName().matches("common/message/.*(Request|Response)\\.json")) continue;
            JsonNode definition = json.readTree(jar.getJarFile().getInputStream(entry));
            int key = definition.path("apiKey").asInt(-1);
            if (!wanted.contains(key)) continue;
            Map<String, JsonNode> common = new HashMap<>();
            for (JsonNode struct : definition.path("commonStructs")) common.put(struct.get("name").asText(), struct);
            String kind = definition.get("type").asText();
            StringBuilder text = new StringBuilder();
            text.append(key + " " + kind + " " + definition.get("flexibleVersions").asText() + "\n");
            fields(text, 1, definition.get("fields"), common);
            messages.put(String.format("%05d %s", key, kind), text.toString());
        }
        System.out.println("# The fields of Kafka 4.3's messages, for the request log: API key, kind, from which version on they are flexible; then a line for");
        System.out.println("# each field, below that in which it is: name, type ({} has fields, [] is a list), versions, those in which it may be null (n), tag and");
        System.out.println("# versions in which it has one (t). tests/golden/Bodies.java writes it.");
        messages.values().forEach(System.out::print);
    }

    static void fields(StringBuilder text, int depth, JsonNode fields, Map<String, JsonNode> common) {
        for (JsonNode field : fields) {
            String name = field.get("name").asText();
            String type = field.get("type").asText();
            String of = type.startsWith("[]") ? type.substring(2) : type;
            JsonNode inner = common.containsKey(of) ? common.get(of).get("fields") : field.get("fields");
            text.append(" ".repeat(depth) + name.substring(0, 1).toLowerCase(Locale.ROOT) + name.substring(1));
            text.append(" " + (type.startsWith("[]") ? "[]" : "") + (inner == null ? of : "{}") + " " + field.get("versions").asText());
            if (field.has("nullableVersions")) text.append(" n" + field.get("nullableVersions").asText());
            if (field.has("tag")) text.append(" t" + field.get("tag").asInt() + ":" + field.get("taggedVersions").asText());
            text.append("\n");
            if (inner != null) fields(text, depth + 1, inner, common);
        }
    }
}
