// Writes golden/messages.txt's lines for the API keys that are named, with Kafka's own serializer:
//   java -cp 'KAFKA_JARS/*' Messages.java 33 43 44 >> messages.txt
// Kafka's jars hold the message definitions, from which every field of a version is filled.
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.lang.reflect.Method;
import java.net.JarURLConnection;
import java.nio.ByteBuffer;
import java.util.*;
import java.util.jar.JarEntry;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.record.internal.MemoryRecords;

public class Messages {
    static final Random RANDOM = new Random(43);
    static final Map<String, JsonNode> COMMON = new HashMap<>();

    public static void main(String[] keys) throws Exception {
        Set<Integer> wanted = new HashSet<>();
        for (String key : keys) wanted.add(Integer.parseInt(key));
        ObjectMapper json = new ObjectMapper().configure(JsonParser.Feature.ALLOW_COMMENTS, true);
        String first = "common/message/ProduceRequest.json";
        JarURLConnection jar = (JarURLConnection) ApiMessage.class.getClassLoader().getResource(first).openConnection();
        TreeMap<String, String> lines = new TreeMap<>();
        for (JarEntry entry : Collections.list(jar.getJarFile().entries())) {
            if (!entry.getName().matches("common/message/.*(Request|Response)\\.json")) continue;
            JsonNode definition = json.readTree(jar.getJarFile().getInputStream(entry));
            int key = definition.path("apiKey").asInt(-1);
            if (!wanted.contains(key)) continue;
            COMMON.clear();
            for (JsonNode struct : definition.path("commonStructs")) COMMON.put(struct.get("name").asText(), struct);
            int[] valid = range(definition.get("validVersions").asText());
            String name = definition.get("name").asText();
            String type = definition.get("type").asText();
            for (int version = valid[0]; version <= valid[1]; version++) {
                Class<?> top = Class.forName("org.apache.kafka.common.message." + name + "Data");
                ApiMessage message = (ApiMessage) filled(top, top, definition.get("fields"), version);
                ByteBuffer bytes = MessageUtil.toByteBufferAccessor(message, (short) version).buffer();
                StringBuilder hex = new StringBuilder();
                while (bytes.hasRemaining()) hex.append(String.format("%02x", bytes.get()));
                String line = key + " " + version + " " + type + " " + hex;
                lines.put(String.format("%05d %05d %s", key, version, type), line);
            }
        }
        lines.values().forEach(System.out::println);
    }

    static int[] range(String text) {
        if (text.equals("none")) return new int[] {0, -1};
        if (text.endsWith("+")) return new int[] {Integer.parseInt(text.substring(0, text.length() - 1)), 999};
        String[] ends = text.split("-");
        return new int[] {Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1])};
    }

    static Object filled(Class<?> top, Class<?> type, JsonNode fields, int version) throws Exception {
        Object object = type.getConstructor().newInstance();
        for (JsonNode field : fields) {
            int[] versions = range(field.get("versions").asText());
            int[] tagged = range(field.path("taggedVersions").asText("none"));
            if (version < versions[0] || version > versions[1] || version > tagged[1] && tagged[1] >= 0) continue;
            String name = field.get("name").asText();
            name = name.substring(0, 1).toUpperCase(Locale.ROOT) + name.substring(1);
            for (Method setter : type.getMethods()) {
                if (!setter.getName().equals("set" + name) || setter.getParameterCount() != 1) continue;
                setter.invoke(object, value(top, field, field.get("type").asText(), setter.getParameterTypes()[0], version));
            }
        }
        return object;
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    static Object value(Class<?> top, JsonNode field, String type, Class<?> as, int version) throws Exception {
        if (type.startsWith("[]")) {
            Collection list = as == List.class ? new ArrayList() : (Collection) as.getConstructor().newInstance();
            for (int i = 0; i < 1 + RANDOM.nextInt(2); i++) {
                list.add(value(top, field, type.substring(2), Object.class, version));
            }
            return list;
        }
        switch (type) {
            case "bool": return true;
            case "int8": return (byte) (1 + RANDOM.nextInt(100));
            case "int16": return (short) (1 + RANDOM.nextInt(30000));
            case "uint16": return 1 + RANDOM.nextInt(60000);
            case "int32": return 1 + RANDOM.nextInt(Integer.MAX_VALUE - 1);
            case "uint32": return 1L + RANDOM.nextInt(Integer.MAX_VALUE - 1);
            case "int64": return RANDOM.nextLong();
            case "float64": return RANDOM.nextDouble();
            case "uuid": return new Uuid(RANDOM.nextLong(), RANDOM.nextLong());
            case "string": return List.of("p", "qé", "xyz", "topic").get(RANDOM.nextInt(4)) + RANDOM.nextInt(100);
            case "bytes": byte[] bytes = new byte[1 + RANDOM.nextInt(4)]; RANDOM.nextBytes(bytes); return as == ByteBuffer.class ? ByteBuffer.wrap(bytes) : bytes;
            case "records": byte[] records = new byte[1 + RANDOM.nextInt(4)]; RANDOM.nextBytes(records); return MemoryRecords.readableRecords(ByteBuffer.wrap(records));
            default:
                JsonNode fields = COMMON.containsKey(type) ? COMMON.get(type).get("fields") : field.get("fields");
                return filled(top, Class.forName(top.getName() + "$" + type), fields, version);
        }
    }
}
