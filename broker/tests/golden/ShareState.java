// Writes golden/share_state.txt: state batches laid over each other by Kafka's own class.
//   java -cp 'KAFKA_JARS/*' ShareState.java 400 > share_state.txt
// A line holds the start offset, the batches so far, the new ones and the result; a batch is first offset, last offset, state, count.
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.apache.kafka.coordinator.share.PersisterStateBatchCombiner;
import org.apache.kafka.server.share.persister.PersisterStateBatch;

public class ShareState {
    static final Random RANDOM = new Random(932);

    public static void main(String[] cases) {
        for (int left = Integer.parseInt(cases[0]); left > 0; left--) {
            long start = RANDOM.nextInt(4) == 0 ? -1 : RANDOM.nextInt(30);
            List<PersisterStateBatch> soFar = batches();
            List<PersisterStateBatch> added = batches();
            List<PersisterStateBatch> result =
                new PersisterStateBatchCombiner(soFar, added, start).combineStateBatches();
            System.out.println(start + "|" + text(soFar) + "|" + text(added) + "|" + text(result));
        }
    }

    static List<PersisterStateBatch> batches() {
        List<PersisterStateBatch> batches = new ArrayList<>();
        for (int left = RANDOM.nextInt(8); left > 0; left--) {
            long first = RANDOM.nextInt(30);
            byte state = (byte) (2 * RANDOM.nextInt(3));
            batches.add(new PersisterStateBatch(first, first + RANDOM.nextInt(10), state, (short) (1 + RANDOM.nextInt(3))));
        }
        return batches;
    }

    static String text(List<PersisterStateBatch> batches) {
        return batches.stream()
            .map(it -> it.firstOffset() + "," + it.lastOffset() + "," + it.deliveryState() + "," + it.deliveryCount())
            .collect(Collectors.joining(";"));
    }
}
