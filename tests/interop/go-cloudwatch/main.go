// Grafana's way in: its CloudWatch data source is written in Go and asks with aws-sdk-go-v2, as this does: lists metrics, gets data of series, of
// SEARCH as Grafana writes it where a dimension is "*", and of metric math, and describes alarms.
//
//	go-cloudwatch NAME HTTP
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
)

const cluster = "brokerscope"

var (
	name     = os.Args[1]
	failures int
	ctx      = context.Background()
	client   = cloudwatch.New(cloudwatch.Options{
		Region:           "local",
		BaseEndpoint:     aws.String(os.Args[2]),
		Credentials:      credentials.NewStaticCredentialsProvider("any", "any", ""),
		RetryMaxAttempts: 1,
	})
)

// feature runs one and says PASSED or FAILED on a line of its own.
func feature(what string, run func() error) {
	start := time.Now()
	if err := run(); err != nil {
		failures++
		fmt.Printf("FAILED  %s: %s: %.400v\n", name, what, err)
		return
	}
	fmt.Printf("PASSED  %s: %s (%.1f s)\n", name, what, time.Since(start).Seconds())
}

// until repeats what does not succeed yet, for 40 s.
func until(run func() error) error {
	deadline := time.Now().Add(40 * time.Second)
	for {
		err := run()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func same(what string, got, wanted any) error {
	if g, w := fmt.Sprint(got), fmt.Sprint(wanted); g != w {
		return fmt.Errorf("%s is %.300s and not %.300s", what, g, w)
	}
	return nil
}

func dimensions(broker string) []types.Dimension {
	return []types.Dimension{
		{Name: aws.String("Cluster Name"), Value: aws.String(cluster)},
		{Name: aws.String("Broker ID"), Value: aws.String(broker)},
	}
}

func stat(id, metric, broker, statistic string) types.MetricDataQuery {
	return types.MetricDataQuery{Id: aws.String(id), MetricStat: &types.MetricStat{
		Metric: &types.Metric{Namespace: aws.String("AWS/Kafka"), MetricName: aws.String(metric), Dimensions: dimensions(broker)},
		Period: aws.Int32(10), Stat: aws.String(statistic),
	}}
}

func expression(id, text string) types.MetricDataQuery {
	return types.MetricDataQuery{Id: aws.String(id), Expression: aws.String(text), Period: aws.Int32(10), ReturnData: aws.Bool(true)}
}

// search is written as Grafana writes it.
func search(metric, statistic string) string {
	return fmt.Sprintf(`REMOVE_EMPTY(SEARCH('{"AWS/Kafka","Broker ID","Cluster Name"} MetricName="%s" "Cluster Name"="%s"', '%s', 10))`, metric, cluster, statistic)
}

// inexact is what Grafana writes where "Match exact" is off: dimensions besides those that are named may be there.
func inexact(metric, statistic string) string {
	return fmt.Sprintf(`REMOVE_EMPTY(SEARCH('Namespace="AWS/Kafka" MetricName="%s" "Cluster Name"="%s" "Broker ID"', '%s', 10))`, metric, cluster, statistic)
}

// data gives the results by id and label, of two minutes, as Grafana asks for them: page by page.
func data(queries ...types.MetricDataQuery) (map[string][]types.MetricDataResult, error) {
	found := map[string][]types.MetricDataResult{}
	end := time.Now()
	pages := cloudwatch.NewGetMetricDataPaginator(client, &cloudwatch.GetMetricDataInput{
		MetricDataQueries: queries, StartTime: aws.Time(end.Add(-2 * time.Minute)), EndTime: aws.Time(end),
		ScanBy: types.ScanByTimestampAscending, LabelOptions: &types.LabelOptions{Timezone: aws.String("+0000")},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, result := range page.MetricDataResults {
			found[*result.Id] = append(found[*result.Id], result)
		}
	}
	return found, nil
}

func listed() error {
	brokers := map[string]bool{}
	pages := cloudwatch.NewListMetricsPaginator(client, &cloudwatch.ListMetricsInput{
		Namespace: aws.String("AWS/Kafka"), MetricName: aws.String("LeaderCount"),
		Dimensions: []types.DimensionFilter{{Name: aws.String("Broker ID")}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, metric := range page.Metrics {
			for _, dimension := range metric.Dimensions {
				if *dimension.Name == "Broker ID" {
					brokers[*dimension.Value] = true
				}
			}
		}
	}
	return same("brokers", len(brokers), 3)
}

func searched() error {
	found, err := data(expression("queryA", search("LeaderCount", "Maximum")), stat("queryB", "LeaderCount", "2", "Maximum"),
		expression("queryC", inexact("LeaderCount", "Maximum")))
	if err != nil {
		return err
	}
	var labels []string
	for _, result := range found["queryA"] {
		labels = append(labels, *result.Label)
		if len(result.Values) == 0 || len(result.Values) != len(result.Timestamps) || result.StatusCode != types.StatusCodeComplete {
			return fmt.Errorf("%v has %v at %v", *result.Label, result.Values, result.Timestamps)
		}
	}
	slices.Sort(labels)
	if err := same("labels", labels, "[1 LeaderCount 2 LeaderCount 3 LeaderCount]"); err != nil {
		return err
	}
	if err := same("lines where dimensions need not be exact", len(found["queryC"]), 3); err != nil {
		return err
	}
	return same("broker 2 alone", found["queryB"][0].Values, found["queryA"][1].Values)
}

func computed() error {
	found, err := data(
		stat("m1", "LeaderCount", "1", "Maximum"), stat("m2", "LeaderCount", "2", "Maximum"), stat("m3", "LeaderCount", "3", "Maximum"),
		expression("total", "SUM(METRICS())"), expression("plus", "m1+m2+m3"), expression("part", "m1/total*100"),
		expression("filled", "FILL(m1, 0) - m1"), expression("of", "SUM("+search("LeaderCount", "Maximum")+")"), expression("high", "IF(m1 >= 0, 1, 0)"),
	)
	if err != nil {
		return err
	}
	// A broker that has just come, or was away, has no value where others have.
	at := func(id string) map[int64]float64 {
		points := map[int64]float64{}
		for index, stamp := range found[id][0].Timestamps {
			points[stamp.Unix()] = found[id][0].Values[index]
		}
		return points
	}
	plus, m1, total, part, filled, high, of := at("plus"), at("m1"), at("total"), at("part"), at("filled"), at("high"), at("of")
	if len(plus) == 0 {
		return errors.New("there is no value yet")
	}
	for stamp, sum := range plus {
		if total[stamp] != sum || of[stamp] != sum || sum > 0 && part[stamp] != m1[stamp]/sum*100 {
			return fmt.Errorf("the sum is %v, in all %v, of a search %v, the part %v", sum, total[stamp], of[stamp], part[stamp])
		}
		if filled[stamp] != 0 || high[stamp] != 1 {
			return fmt.Errorf("filled %v, high %v", filled, high)
		}
	}
	return nil
}

// refused must be one of the SDK's own errors, with CloudWatch's code.
func refused() error {
	_, err := data(expression("e1", "m1 + nothing"))
	var refusal smithy.APIError
	if !errors.As(err, &refusal) {
		return fmt.Errorf("%T %v", err, err)
	}
	return same("code", refusal.ErrorCode(), "ValidationError")
}

func alarmed() error {
	_, err := client.PutMetricAlarm(ctx, &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String("by go"), Namespace: aws.String("AWS/Kafka"), MetricName: aws.String("LeaderCount"), Dimensions: dimensions("1"),
		Statistic: types.StatisticMaximum, Period: aws.Int32(1), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(-1),
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
		Tags:               []types.Tag{{Key: aws.String("severity"), Value: aws.String("critical")}},
	})
	if err != nil {
		return err
	}
	err = until(func() error {
		told, err := client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"by go"}})
		if err != nil {
			return err
		}
		return same("state", told.MetricAlarms[0].StateValue, "ALARM")
	})
	if err != nil {
		return err
	}
	// Grafana's annotations.
	of, err := client.DescribeAlarmsForMetric(ctx, &cloudwatch.DescribeAlarmsForMetricInput{
		Namespace: aws.String("AWS/Kafka"), MetricName: aws.String("LeaderCount"), Dimensions: dimensions("1"),
		Statistic: types.StatisticMaximum, Period: aws.Int32(1),
	})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(of.MetricAlarms, func(alarm types.MetricAlarm) bool { return *alarm.AlarmName == "by go" }) {
		return fmt.Errorf("it is not among the metric's %d alarms", len(of.MetricAlarms))
	}
	history, err := client.DescribeAlarmHistory(ctx, &cloudwatch.DescribeAlarmHistoryInput{
		AlarmName: aws.String("by go"), StartDate: aws.Time(time.Now().Add(-time.Hour)), EndDate: aws.Time(time.Now()),
	})
	if err != nil {
		return err
	}
	if len(history.AlarmHistoryItems) < 2 {
		return fmt.Errorf("its history has %d lines", len(history.AlarmHistoryItems))
	}
	_, err = client.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"by go"}})
	return err
}

// counted asks by Metrics Insights, with the label that Grafana makes of what a query is grouped by.
func counted() error {
	query := expression("queryA", `SELECT MAX(LeaderCount) FROM SCHEMA("AWS/Kafka", "Broker ID", "Cluster Name") WHERE "Cluster Name" = 'brokerscope' GROUP BY "Broker ID" ORDER BY MAX() ASC`)
	query.Label = aws.String("${LABEL}|&|${PROP('Dim.Broker ID')}")
	found, err := data(query, expression("of", "SUM(queryA)"), stat("m1", "LeaderCount", "1", "Maximum"),
		stat("m2", "LeaderCount", "2", "Maximum"), stat("m3", "LeaderCount", "3", "Maximum"), expression("plus", "m1+m2+m3"))
	if err != nil {
		return err
	}
	var labels []string
	for _, result := range found["queryA"] {
		labels = append(labels, *result.Label)
	}
	slices.Sort(labels)
	if err := same("labels", labels, "[1|&|1 2|&|2 3|&|3]"); err != nil {
		return err
	}
	sums := map[int64]float64{}
	for index, stamp := range found["of"][0].Timestamps {
		sums[stamp.Unix()] = found["of"][0].Values[index]
	}
	if len(found["plus"][0].Values) == 0 {
		return errors.New("there is no value yet")
	}
	for index, stamp := range found["plus"][0].Timestamps {
		if sums[stamp.Unix()] != found["plus"][0].Values[index] {
			return fmt.Errorf("its sums are %v, and not %v", sums, found["plus"][0].Values)
		}
	}
	return nil
}

// watched puts an alarm on metric math, which rings, and is told as it was put.
func watched() error {
	sum := expression("sum", "m1 * 0 + m2 * 0 + 7")
	sum.Period, sum.Label = nil, aws.String("Seven")
	parts := []types.MetricDataQuery{sum, stat("m1", "LeaderCount", "1", "Maximum"), stat("m2", "LeaderCount", "2", "Maximum")}
	for index := range parts[1:] {
		parts[index+1].MetricStat.Period, parts[index+1].ReturnData = aws.Int32(1), aws.Bool(false)
	}
	input := &cloudwatch.PutMetricAlarmInput{
		AlarmName: aws.String("math by go"), Metrics: parts, EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(6),
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold,
	}
	if _, err := client.PutMetricAlarm(ctx, input); err != nil {
		return err
	}
	err := until(func() error {
		told, err := client.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"math by go"}})
		if err != nil {
			return err
		}
		alarm := told.MetricAlarms[0]
		if len(alarm.Metrics) != 3 || *alarm.Metrics[0].Expression != *sum.Expression || *alarm.Metrics[1].MetricStat.Period != 1 || alarm.MetricName != nil {
			return fmt.Errorf("it is told as %+v", alarm)
		}
		return same("state", alarm.StateValue, "ALARM")
	})
	if err != nil {
		return err
	}
	input.Metrics = parts[1:]
	var refusal smithy.APIError
	if _, err := client.PutMetricAlarm(ctx, input); !errors.As(err, &refusal) || refusal.ErrorCode() != "ValidationError" {
		return fmt.Errorf("without a result to watch: %v", err)
	}
	_, err = client.DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"math by go"}})
	return err
}

func main() {
	feature("ListMetrics with a dimension of any value", func() error { return until(listed) })
	feature("GetMetricData of Grafana's SEARCH is that of the series alone", func() error { return until(searched) })
	feature("GetMetricData of metric math", func() error { return until(computed) })
	feature("GetMetricData of Metrics Insights, with Grafana's labels", func() error { return until(counted) })
	feature("an expression that makes no sense is refused as CloudWatch does", refused)
	feature("alarms are put, ring, are described and deleted", alarmed)
	feature("an alarm on metric math is put, rings, is told and deleted", watched)
	if failures > 0 {
		os.Exit(1)
	}
}
