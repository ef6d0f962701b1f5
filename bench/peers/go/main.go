// SPDX-License-Identifier: MIT

// The Go peer of the side-by-side suite; see ../common/peer.h for the command line and the record.
// The workers are GOMAXPROCS. Go has no thread outside of its runtime: an outside thread is a
// goroutine locked to one, as a callback from C would be.
package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const seed = uint64(0x9e3779b97f4a7c15)
const burnRounds = 500000
const burnTasks = 256

type args struct {
	work    string
	workers int
	n       int
	warm    bool
	pin     int
}

func (a *args) count(n int) int {
	if a.n > 0 {
		return a.n
	}
	return n
}

func die(what string) {
	fmt.Fprintln(os.Stderr, "go:", what)
	os.Exit(2)
}

func next(s *uint64) uint64 {
	*s ^= *s << 13
	*s ^= *s >> 7
	*s ^= *s << 17
	return *s
}

func emit(a *args, work string, value float64, unit string) {
	fmt.Printf("{\"work\":%q,\"peer\":\"go\",\"workers\":%d,\"value\":%.6g,\"unit\":%q}\n",
		work, a.workers, value, unit)
}

func emitLatency(a *args, work string, ns []int64, scale float64, unit string, cpu float64) {
	slices.Sort(ns)
	at := func(p float64) float64 {
		return float64(ns[min(int(float64(len(ns))*p), len(ns)-1)]) / scale
	}
	fmt.Printf("{\"work\":%q,\"peer\":\"go\",\"workers\":%d,\"value\":%.6g,\"unit\":%q,\"p50\":%.6g,"+
		"\"p99\":%.6g,\"min\":%.6g,\"max\":%.6g", work, a.workers, at(0.5), unit, at(0.5), at(0.99),
		at(0), at(1))
	if cpu >= 0 {
		fmt.Printf(",\"cpu_s\":%.6g", cpu)
	}
	fmt.Println("}")
}

func timed(a *args, f func()) time.Duration {
	if a.warm {
		f()
	}
	t0 := time.Now()
	f()
	return time.Since(t0)
}

func perOp(d time.Duration, n int) float64 { return float64(d.Nanoseconds()) / float64(n) }
func ms(d time.Duration) float64           { return float64(d.Nanoseconds()) / 1e6 }

func spawnMany(n int) {
	var wg sync.WaitGroup
	wg.Add(n)
	for range n {
		go wg.Done()
	}
	wg.Wait()
}

func spawnInside(a *args) {
	n := a.count(1000000)
	emit(a, a.work, perOp(timed(a, func() { spawnMany(n) }), n), "ns")
}

func spawnOutside(a *args, threads int) {
	n := a.count(1000000) / threads
	d := timed(a, func() {
		var wg sync.WaitGroup
		for range threads {
			wg.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				spawnMany(n)
			})
		}
		wg.Wait()
	})
	emit(a, a.work, perOp(d, n*threads), "ns")
}

func yield(a *args, tasks int) {
	each := a.count(1000000) / tasks
	d := timed(a, func() {
		var wg sync.WaitGroup
		for range tasks {
			wg.Go(func() {
				for range each {
					runtime.Gosched()
				}
			})
		}
		wg.Wait()
	})
	emit(a, a.work, perOp(d, each*tasks), "ns")
}

func pingpong(a *args) {
	n := a.count(1000000)
	d := timed(a, func() {
		ping, pong := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for range n {
				<-ping
				pong <- struct{}{}
			}
		})
		wg.Go(func() {
			for range n {
				ping <- struct{}{}
				<-pong
			}
		})
		wg.Wait()
	})
	emit(a, "pingpong", perOp(d, n), "ns")
}

func pinSelf(cpu int) {
	var mask [16]uint64
	mask[cpu/64] = 1 << (cpu % 64)
	_, _, e := syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, unsafe.Sizeof(mask),
		uintptr(unsafe.Pointer(&mask)))
	if e != 0 {
		die("sched_setaffinity")
	}
}

var epoch = time.Now()

func wake(a *args, bySpawn bool) {
	n := a.count(1000)
	took := make([]int64, n)
	var sent, seen atomic.Int64
	ch := make(chan struct{}, 1)
	sample := func() {
		i := seen.Load()
		took[i] = int64(time.Since(epoch)) - sent.Load()
		seen.Store(i + 1)
	}
	go func() {
		for range ch {
			sample()
		}
	}()
	time.Sleep(10 * time.Millisecond) // the runtime's threads are there, before this one moves
	runtime.LockOSThread()
	if a.pin >= 0 {
		pinSelf(a.pin)
	}
	for i := range n {
		for {
			time.Sleep(time.Millisecond)
			if seen.Load() >= int64(i) {
				break
			}
		}
		sent.Store(int64(time.Since(epoch)))
		if bySpawn {
			go sample()
		} else {
			ch <- struct{}{}
		}
	}
	for seen.Load() < int64(n) {
		time.Sleep(time.Millisecond)
	}
	name := a.work + "_unpinned"
	if a.pin >= 0 {
		name = a.work + "_pinned"
	}
	emitLatency(a, name, took, 1e3, "us", -1)
}

func fib(n int, out chan<- uint64) { out <- fibOf(n) }

func fibOf(n int) uint64 {
	if n < 2 {
		return uint64(n)
	}
	part := make(chan uint64, 1)
	go fib(n-1, part)
	y := fibOf(n - 2)
	return <-part + y
}

func runFib(a *args) {
	n := a.count(30)
	var result uint64
	d := timed(a, func() { result = fibOf(n) })
	if n == 30 && result != 832040 {
		die("fib: wrong result")
	}
	emit(a, "fib", ms(d), "ms")
}

func skynet(num, size uint64, out chan<- uint64) {
	if size == 1 {
		out <- num
		return
	}
	parts := make(chan uint64, 10)
	for i := range uint64(10) {
		go skynet(num+i*(size/10), size/10, parts)
	}
	var sum uint64
	for range 10 {
		sum += <-parts
	}
	out <- sum
}

func runSkynet(a *args) {
	n := uint64(a.count(1000000))
	var result uint64
	d := timed(a, func() {
		out := make(chan uint64)
		go skynet(0, n, out)
		result = <-out
	})
	if result != n*(n-1)/2 {
		die("skynet: wrong result")
	}
	emit(a, "skynet", ms(d), "ms")
}

func timers(a *args) {
	n := a.count(1000000)
	all := make([]*time.Timer, n)
	var d [3]time.Duration
	never := func() { die("fired") }
	timed(a, func() {
		s := seed
		in := func() time.Duration { return time.Duration(10000+next(&s)%60000) * time.Millisecond }
		t0 := time.Now()
		for i := range all {
			all[i] = time.AfterFunc(in(), never)
		}
		d[0] = time.Since(t0)
		t0 = time.Now()
		for _, t := range all {
			t.Stop()
		}
		d[1] = time.Since(t0)
		t0 = time.Now()
		for range n {
			time.AfterFunc(in(), never).Stop()
		}
		d[2] = time.Since(t0)
	})
	emit(a, "timer_create", perOp(d[0], n), "ns")
	emit(a, "timer_cancel", perOp(d[1], n), "ns")
	emit(a, "timer_create_cancel", perOp(d[2], n), "ns")
}

func cpuSeconds() float64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}

func sleeps(a *args) {
	n := a.count(100000)
	late := make([]int64, n)
	var wg sync.WaitGroup
	s := seed
	cpu := cpuSeconds()
	for i := range n {
		d := time.Duration(1+next(&s)%1000) * time.Millisecond
		wg.Go(func() {
			t0 := time.Now()
			time.Sleep(d)
			late[i] = int64(time.Since(t0) - d)
		})
	}
	wg.Wait()
	emitLatency(a, "sleeps", late, 1e6, "ms", cpuSeconds()-cpu)
}

func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		die("/proc/self/statm")
	}
	pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

func memory(a *args, sleeping bool) {
	n := a.count(200000)
	var started atomic.Int64
	block := make(chan struct{})
	add := func(n int) {
		want := started.Load() + int64(n)
		for range n {
			go func() {
				started.Add(1)
				if sleeping {
					time.Sleep(1000 * time.Second)
				} else {
					<-block
				}
			}()
		}
		for started.Load() < want {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond)
	}
	add(100)
	before := resident()
	add(n)
	emit(a, a.work, float64(resident()-before)/float64(n), "bytes")
}

func burn(x uint64, rounds int) uint64 {
	for range rounds {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

func cpu(a *args) {
	rounds := a.count(burnRounds)
	parts := make([]uint64, burnTasks)
	d := timed(a, func() {
		var wg sync.WaitGroup
		for i := range parts {
			wg.Go(func() { parts[i] = burn(seed+uint64(i), rounds) })
		}
		wg.Wait()
	})
	var sum uint64
	for _, p := range parts {
		sum ^= p
	}
	if sum == 0 {
		die("cpu: no result")
	}
	emit(a, "cpu", ms(d), "ms")
}

// A goroutine that is waited for before the next one starts.
func spawnEach(a *args) {
	n := a.count(1000000)
	d := timed(a, func() {
		var wg sync.WaitGroup
		for range n {
			wg.Add(1)
			go wg.Done()
			wg.Wait()
		}
	})
	emit(a, a.work, perOp(d, n), "ns")
}

func crew(actors int, f func()) {
	var wg sync.WaitGroup
	for range actors {
		wg.Go(f)
	}
	wg.Wait()
}

func channel(a *args, senders int) {
	each := a.count(2000000) / senders
	d := timed(a, func() {
		ch, sum := make(chan int64, 1024), make(chan int64)
		go func() {
			s := int64(0)
			for item := range ch {
				s += item
			}
			sum <- s
		}()
		crew(senders, func() {
			for i := range int64(each) {
				ch <- i
			}
		})
		close(ch)
		if <-sum != int64(senders)*int64(each)*int64(each-1)/2 {
			die("chan: wrong sum")
		}
	})
	emit(a, a.work, perOp(d, each*senders), "ns")
}

func oneshot(a *args) {
	n := a.count(1000000)
	d := timed(a, func() {
		sum := 0
		for i := range n {
			ch := make(chan int, 1)
			ch <- i
			sum += <-ch
		}
		if sum != n*(n-1)/2 {
			die("oneshot: wrong sum")
		}
	})
	emit(a, a.work, perOp(d, n), "ns")
}

func mutex(a *args, actors int) {
	each := a.count(2000000) / actors
	d := timed(a, func() {
		var m sync.Mutex
		count := 0
		crew(actors, func() {
			for range each {
				m.Lock()
				count++
				m.Unlock()
			}
		})
		if count != each*actors {
			die("mutex: lost count")
		}
	})
	emit(a, a.work, perOp(d, each*actors), "ns")
}

// A channel of two: what Go's standard library has for a semaphore.
func semaphore(a *args, actors int) {
	n := 2000000
	if actors > 1 {
		n = 1000000
	}
	each := a.count(n) / actors
	d := timed(a, func() {
		sem := make(chan struct{}, 2)
		crew(actors, func() {
			for range each {
				sem <- struct{}{}
				<-sem
			}
		})
	})
	emit(a, a.work, perOp(d, each*actors), "ns")
}

func main() {
	if len(os.Args) < 2 {
		die("usage: WORK [--workers N] [--n N] [--warm 0|1] [--pin CPU]")
	}
	a := args{work: os.Args[1], workers: 2, warm: true, pin: -1}
	for i := 2; i+1 < len(os.Args); i += 2 {
		v, err := strconv.Atoi(os.Args[i+1])
		if err != nil {
			die("not a number: " + os.Args[i+1])
		}
		switch os.Args[i] {
		case "--workers":
			a.workers = v
		case "--n":
			a.n = v
		case "--warm":
			a.warm = v != 0
		case "--pin":
			a.pin = v
		default:
			die("unknown option")
		}
	}
	runtime.GOMAXPROCS(a.workers)
	switch a.work {
	case "version":
		fmt.Println("Go", strings.TrimPrefix(runtime.Version(), "go"))
	case "spawn_inside":
		spawnInside(&a)
	case "spawn_outside1":
		spawnOutside(&a, 1)
	case "spawn_outside2":
		spawnOutside(&a, 2)
	case "yield1":
		yield(&a, 1)
	case "yield1000":
		yield(&a, 1000)
	case "pingpong":
		pingpong(&a)
	case "wake":
		wake(&a, false)
	case "wake_spawn":
		wake(&a, true)
	case "fib":
		runFib(&a)
	case "skynet":
		runSkynet(&a)
	case "timer":
		timers(&a)
	case "sleeps":
		sleeps(&a)
	case "memory_sleeping":
		memory(&a, true)
	case "memory_parked":
		memory(&a, false)
	case "memory_fiber":
		memory(&a, true)
	case "cpu":
		cpu(&a)
	case "fiber_spawn":
		spawnInside(&a)
	case "fiber_spawn_one":
		spawnEach(&a)
	case "fiber_yield":
		yield(&a, 1)
	case "chan1":
		channel(&a, 1)
	case "chan4":
		channel(&a, 4)
	case "oneshot":
		oneshot(&a)
	case "mutex1":
		mutex(&a, 1)
	case "mutex4":
		mutex(&a, 4)
	case "semaphore1":
		semaphore(&a, 1)
	case "semaphore4":
		semaphore(&a, 4)
	default:
		die("unknown work")
	}
}
