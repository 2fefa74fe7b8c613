package netsetup

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"jailshim/netsetup/link"
)

// maxRatio bounds what the wiring of a container takes, as a multiple of the same
// calls made directly.
const maxRatio = 1.5

// BenchmarkAttach wires and unwires a container by turns through a Manager and by the
// same calls made directly, each to the end, and reports the medians and their ratio.
// What a process of the jail does is measured with both: it needs an agent each time.
func BenchmarkAttach(b *testing.B) {
	r := newReal(b, "none", "")
	jid := newJail(b)
	c := newAgent(b, jid)
	// The network stays for the whole time.
	r.container(b, Request{Owner: "neighbour"})
	var reserve, attach, detach, managed, direct []time.Duration
	n := 0
	for b.Loop() {
		n++
		t0 := time.Now()
		a, err := r.Reserve(b.Context(), Request{Owner: fmt.Sprintf("bench%d", n), Network: "default"})
		if err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		calls, err := r.Attach(b.Context(), a, jid)
		if err != nil {
			b.Fatal(err)
		}
		t2 := time.Now()
		c.must(order{Do: "run", Calls: calls})
		t3 := time.Now()
		if err := r.Detach(b.Context(), a); err != nil {
			b.Fatal(err)
		}
		t4 := time.Now()
		reserve, attach, detach = append(reserve, t1.Sub(t0)), append(attach, t2.Sub(t1)), append(detach, t4.Sub(t3))
		managed = append(managed, t4.Sub(t0))

		t0 = time.Now()
		if err := direct1(r, a, jid, c, n); err != nil {
			b.Fatal(err)
		}
		direct = append(direct, time.Since(t0))
	}
	for what, times := range map[string][]time.Duration{
		"ms/reserve": reserve, "ms/attach": attach, "ms/detach": detach, "ms/managed": managed, "ms/direct": direct,
	} {
		b.ReportMetric(float64(median(times).Microseconds())/1000, what)
	}
	b.Logf("reserve %v, attach %v, detach %v, all %v, direct %v", median(reserve), median(attach), median(detach), median(managed), median(direct))
	ratio := float64(median(managed)) / float64(median(direct))
	b.ReportMetric(ratio, "ratio")
	if len(direct) >= 20 && ratio > maxRatio {
		b.Errorf("ratio %.2f, want at most %v", ratio, maxRatio)
	}
}

// direct1 makes the calls of one life, with nothing around them.
func direct1(r *real, a *Attachment, jid int, c *agent, n int) error {
	mac, err := a.mac()
	if err != nil {
		return err
	}
	host, end := fmt.Sprintf("jtdirect%dx", n), fmt.Sprintf("epair%db", 9000+n%100)
	caps := link.GetCaps(host)
	made := []link.Call{
		link.Create("epair", 9000+n%100), link.Rename(end[:len(end)-1]+"a", host), caps,
		link.SetMAC(end, mac), link.SetDescription(host, "jailshim "+a.Owner),
	}
	if err := link.Run(made); err != nil {
		return err
	}
	var calls []link.Call
	if off, ok := link.NoTXChecksums(host, made[2]); ok {
		calls = append(calls, off)
	}
	calls = append(calls, link.AddMember(a.Bridge, host), link.Up(host), link.MoveTo(end, jid))
	if err := link.Run(calls); err != nil {
		return err
	}
	c.must(order{Do: "run", Calls: a.inJail(end)})
	return link.Run([]link.Call{link.Destroy(host)})
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}
