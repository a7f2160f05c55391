// Go clients: `franz BOOTSTRAP`, `sarama BOOTSTRAP`, and the transfer loop's worker, `transfer BOOTSTRAP NAME` (see transfer.py).
package main

import (
	"fmt"
	"os"
	"sort"
	"time"
)

var failures int

// feature runs one and says PASSED or FAILED on a line of its own.
func feature(client, name string, run func() error) {
	start := time.Now()
	if err := run(); err != nil {
		failures++
		fmt.Printf("FAILED  %s: %s: %v\n", client, name, err)
		return
	}
	fmt.Printf("PASSED  %s: %s (%.1f s)\n", client, name, time.Since(start).Seconds())
}

func same(what string, got, wanted any) error {
	if g, w := fmt.Sprint(got), fmt.Sprint(wanted); g != w {
		return fmt.Errorf("%s is %.300s and not %.300s", what, g, w)
	}
	return nil
}

func wanted(count int) []string {
	values := make([]string, count)
	for n := range values {
		values[n] = fmt.Sprintf("v%d", n)
	}
	return sorted(values)
}

func sorted(values []string) []string {
	sort.Strings(values)
	return values
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Println("FAILED ", err)
		os.Exit(1)
	}
	return value
}

func main() {
	switch os.Args[1] {
	case "franz":
		franz(os.Args[2])
	case "sarama":
		saramaClient(os.Args[2])
	case "transfer":
		transfer(os.Args[2], os.Args[3])
	}
	if failures > 0 {
		os.Exit(1)
	}
}
