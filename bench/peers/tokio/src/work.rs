// SPDX-License-Identifier: MIT

use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{broadcast, mpsc, oneshot, Mutex, Notify, Semaphore};
use tokio::task::JoinHandle;

use crate::{die, emit, emit_latency, Args};

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const BURN_ROUNDS: usize = 500_000;
const BURN_TASKS: usize = 256;

fn next(s: &mut u64) -> u64 {
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    *s
}

fn runtime(a: &Args) -> Runtime {
    let mut b = Builder::new_multi_thread();
    b.worker_threads(a.workers).enable_time();
    b.build().unwrap_or_else(|_| die("no runtime"))
}

/// Runs a root task on a worker, once to warm up and once timed.
fn timed<F, T>(a: &Args, rt: &Runtime, make: impl Fn() -> F) -> (Duration, T)
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    if a.warm {
        rt.block_on(rt.spawn(make())).unwrap();
    }
    let t0 = Instant::now();
    let out = rt.block_on(rt.spawn(make())).unwrap();
    (t0.elapsed(), out)
}

fn per(d: Duration, n: usize) -> f64 {
    d.as_nanos() as f64 / n as f64
}

fn ms(d: Duration) -> f64 {
    d.as_nanos() as f64 / 1e6
}

async fn join_all<T>(handles: Vec<JoinHandle<T>>) {
    for h in handles {
        h.await.unwrap();
    }
}

fn spawn_inside(a: &Args) {
    let (rt, n) = (runtime(a), a.count(1_000_000));
    let (d, ()) = timed(a, &rt, || async move {
        let mut handles = Vec::with_capacity(n);
        for _ in 0..n {
            handles.push(tokio::spawn(async {}));
        }
        join_all(handles).await;
    });
    emit(a, "spawn_inside", per(d, n), "ns");
}

fn spawn_outside(a: &Args, threads: usize) {
    let (rt, n) = (runtime(a), a.count(1_000_000) / threads);
    let run = || {
        let t0 = Instant::now();
        std::thread::scope(|s| {
            for _ in 0..threads {
                s.spawn(|| {
                    let handles: Vec<_> = (0..n).map(|_| rt.spawn(async {})).collect();
                    rt.block_on(join_all(handles));
                });
            }
        });
        t0.elapsed()
    };
    if a.warm {
        run();
    }
    emit(a, &a.work, per(run(), n * threads), "ns");
}

fn yields(a: &Args, tasks: usize) {
    let (rt, each) = (runtime(a), a.count(1_000_000) / tasks);
    let (d, ()) = timed(a, &rt, || async move {
        let one = move || async move {
            for _ in 0..each {
                tokio::task::yield_now().await;
            }
        };
        join_all((0..tasks).map(|_| tokio::spawn(one())).collect()).await;
    });
    emit(a, &a.work, per(d, each * tasks), "ns");
}

fn pingpong(a: &Args) {
    let (rt, n) = (runtime(a), a.count(1_000_000));
    let (d, ()) = timed(a, &rt, || async move {
        let (ping, pong) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (ping2, pong2) = (ping.clone(), pong.clone());
        let b = tokio::spawn(async move {
            for _ in 0..n {
                ping2.notified().await;
                pong2.notify_one();
            }
        });
        let a = tokio::spawn(async move {
            for _ in 0..n {
                ping.notify_one();
                pong.notified().await;
            }
        });
        a.await.unwrap();
        b.await.unwrap();
    });
    emit(a, "pingpong", per(d, n), "ns");
}

fn pin_self(cpu: i64) {
    if cpu < 0 {
        return;
    }
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu as usize, &mut set);
        if libc::sched_setaffinity(0, std::mem::size_of_val(&set), &set) != 0 {
            die("sched_setaffinity");
        }
    }
}

struct Samples {
    epoch: Instant,
    sent: AtomicI64,
    seen: AtomicUsize,
    took: Vec<AtomicI64>,
}

impl Samples {
    fn now(&self) -> i64 {
        self.epoch.elapsed().as_nanos() as i64
    }
    fn sample(&self) {
        let i = self.seen.load(Ordering::Relaxed);
        self.took[i].store(
            self.now() - self.sent.load(Ordering::Relaxed),
            Ordering::Relaxed,
        );
        self.seen.store(i + 1, Ordering::Release);
    }
}

fn wake(a: &Args, by_spawn: bool) {
    let (rt, n) = (runtime(a), a.count(1000));
    let s = Arc::new(Samples {
        epoch: Instant::now(),
        sent: AtomicI64::new(0),
        seen: AtomicUsize::new(0),
        took: (0..n).map(|_| AtomicI64::new(0)).collect(),
    });
    let notify = Arc::new(Notify::new());
    if !by_spawn {
        let (s, notify) = (s.clone(), notify.clone());
        rt.spawn(async move {
            loop {
                notify.notified().await;
                s.sample();
            }
        });
    }
    std::thread::sleep(Duration::from_millis(10));
    pin_self(a.pin);
    for i in 0..n {
        loop {
            std::thread::sleep(Duration::from_millis(1));
            if s.seen.load(Ordering::Acquire) >= i {
                break;
            }
        }
        s.sent.store(s.now(), Ordering::Relaxed);
        if by_spawn {
            let s = s.clone();
            rt.spawn(async move { s.sample() });
        } else {
            notify.notify_one();
        }
    }
    while s.seen.load(Ordering::Acquire) < n {
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut took: Vec<i64> = s.took.iter().map(|t| t.load(Ordering::Relaxed)).collect();
    let name = format!(
        "{}_{}",
        a.work,
        if a.pin >= 0 { "pinned" } else { "unpinned" }
    );
    emit_latency(a, &name, &mut took, 1e3, "us", None);
}

/// A recursive async function is boxed; the inline half is, the spawned half is a task anyway.
fn fib(n: u32) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n as u64;
        }
        let x = tokio::spawn(fib(n - 1));
        let y = fib(n - 2).await;
        x.await.unwrap() + y
    })
}

fn run_fib(a: &Args) {
    let (rt, n) = (runtime(a), a.count(30) as u32);
    let (d, result) = timed(a, &rt, || fib(n));
    if n == 30 && result != 832_040 {
        die("fib: wrong result");
    }
    emit(a, "fib", ms(d), "ms");
}

fn skynet(num: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if size == 1 {
            return num;
        }
        let step = size / 10;
        let mut parts = Vec::with_capacity(10);
        for i in 0..10 {
            parts.push(tokio::spawn(skynet(num + i * step, step)));
        }
        let mut sum = 0;
        for p in parts {
            sum += p.await.unwrap();
        }
        sum
    })
}

fn run_skynet(a: &Args) {
    let (rt, n) = (runtime(a), a.count(1_000_000) as u64);
    let (d, result) = timed(a, &rt, || skynet(0, n));
    if result != n * (n - 1) / 2 {
        die("skynet: wrong result");
    }
    emit(a, "skynet", ms(d), "ms");
}

fn timers(a: &Args) {
    let (rt, n) = (runtime(a), a.count(1_000_000));
    let (_, d) = timed(a, &rt, || async move {
        let mut seed = SEED;
        let mut made = move || {
            let ms = 10_000 + next(&mut seed) % 60_000;
            tokio::time::sleep(Duration::from_millis(ms))
        };
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let mut cx = Context::from_waker(&waker);
        let t0 = Instant::now();
        let mut all: Vec<Pin<Box<tokio::time::Sleep>>> = Vec::with_capacity(n);
        for _ in 0..n {
            let mut s = Box::pin(made());
            assert!(s.as_mut().poll(&mut cx).is_pending());
            all.push(s);
        }
        let t1 = Instant::now();
        drop(all);
        let t2 = Instant::now();
        for _ in 0..n {
            let mut s = std::pin::pin!(made());
            assert!(s.as_mut().poll(&mut cx).is_pending());
        }
        (t1 - t0, t2 - t1, t2.elapsed())
    });
    emit(a, "timer_create", per(d.0, n), "ns");
    emit(a, "timer_cancel", per(d.1, n), "ns");
    emit(a, "timer_create_cancel", per(d.2, n), "ns");
}

fn cpu_seconds() -> f64 {
    unsafe {
        let mut r: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut r);
        (r.ru_utime.tv_sec + r.ru_stime.tv_sec) as f64
            + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) as f64 * 1e-6
    }
}

fn sleeps(a: &Args) {
    let (rt, n) = (runtime(a), a.count(100_000));
    let cpu = cpu_seconds();
    let root = rt.spawn(async move {
        let mut seed = SEED;
        let mut handles = Vec::with_capacity(n);
        for _ in 0..n {
            let d = Duration::from_millis(1 + next(&mut seed) % 1000);
            handles.push(tokio::spawn(async move {
                let until = Instant::now() + d;
                tokio::time::sleep(d).await;
                let now = Instant::now();
                if now >= until {
                    (now - until).as_nanos() as i64
                } else {
                    -((until - now).as_nanos() as i64)
                }
            }));
        }
        let mut late = Vec::with_capacity(n);
        for h in handles {
            late.push(h.await.unwrap());
        }
        late
    });
    let mut late = rt.block_on(root).unwrap();
    emit_latency(a, "sleeps", &mut late, 1e6, "ms", Some(cpu_seconds() - cpu));
}

fn resident() -> i64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: i64 = text
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) }
}

fn memory(a: &Args, sleeping: bool) {
    let (rt, n) = (runtime(a), a.count(200_000));
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    let add = |n: usize| {
        let want = STARTED.load(Ordering::Relaxed) + n;
        rt.block_on(rt.spawn(async move {
            for _ in 0..n {
                if sleeping {
                    tokio::spawn(async {
                        STARTED.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_secs(1000)).await;
                    });
                } else {
                    let mut kept: Option<Waker> = None;
                    tokio::spawn(poll_fn(move |cx| {
                        if kept.is_none() {
                            kept = Some(cx.waker().clone());
                            STARTED.fetch_add(1, Ordering::Relaxed);
                        }
                        Poll::<()>::Pending
                    }));
                }
            }
        }))
        .unwrap();
        while STARTED.load(Ordering::Relaxed) < want {
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    add(100);
    let before = resident();
    add(n);
    emit(a, &a.work, (resident() - before) as f64 / n as f64, "bytes");
    std::process::exit(0);
}

fn burn(mut x: u64, rounds: usize) -> u64 {
    for _ in 0..rounds {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

fn cpu(a: &Args) {
    let (rt, rounds) = (runtime(a), a.count(BURN_ROUNDS));
    let (d, sum) = timed(a, &rt, || async move {
        let mut handles = Vec::with_capacity(BURN_TASKS);
        for i in 0..BURN_TASKS as u64 {
            handles.push(tokio::spawn(async move { burn(SEED + i, rounds) }));
        }
        let mut sum = 0;
        for h in handles {
            sum ^= h.await.unwrap();
        }
        sum
    });
    if sum == 0 {
        die("cpu: no result");
    }
    emit(a, "cpu", ms(d), "ms");
}

fn chan(a: &Args, senders: usize) {
    let (rt, each) = (runtime(a), a.count(2_000_000) / senders);
    let (d, sum) = timed(a, &rt, || async move {
        let (tx, mut rx) = mpsc::channel::<i64>(1024);
        let receiver = tokio::spawn(async move {
            let mut sum = 0;
            while let Some(item) = rx.recv().await {
                sum += item;
            }
            sum
        });
        let send = |tx: mpsc::Sender<i64>| async move {
            for i in 0..each as i64 {
                tx.send(i).await.unwrap();
            }
        };
        join_all(
            (0..senders)
                .map(|_| tokio::spawn(send(tx.clone())))
                .collect(),
        )
        .await;
        drop(tx);
        receiver.await.unwrap()
    });
    if sum as usize != senders * each * (each - 1) / 2 {
        die("chan: wrong sum");
    }
    emit(a, &a.work, per(d, each * senders), "ns");
}

fn oneshots(a: &Args) {
    let (rt, n) = (runtime(a), a.count(1_000_000));
    let (d, sum) = timed(a, &rt, || async move {
        let mut sum = 0;
        for i in 0..n {
            let (tx, rx) = oneshot::channel::<usize>();
            tx.send(i).unwrap();
            sum += rx.await.unwrap();
        }
        sum
    });
    if sum != n * (n - 1) / 2 {
        die("oneshot: wrong sum");
    }
    emit(a, "oneshot", per(d, n), "ns");
}

/// In rounds, so that nobody lags: the figures are of delivery, not of loss.
fn broadcasts(a: &Args) {
    const LISTENERS: usize = 4;
    const ROUND: usize = 512;
    let (rt, n) = (runtime(a), a.count(500_000));
    let all = n / ROUND * ROUND;
    let (d, ()) = timed(a, &rt, || async move {
        let (tx, _) = broadcast::channel::<i64>(1024);
        let sem = Arc::new(Semaphore::new(0));
        let mut tasks = Vec::new();
        for _ in 0..LISTENERS {
            let (mut rx, sem) = (tx.subscribe(), sem.clone());
            tasks.push(tokio::spawn(async move {
                sem.add_permits(1);
                for i in 1..=all {
                    rx.recv().await.unwrap();
                    if i % ROUND == 0 {
                        sem.add_permits(1);
                    }
                }
            }));
        }
        for i in 0..all {
            if i % ROUND == 0 {
                sem.acquire_many(LISTENERS as u32).await.unwrap().forget();
            }
            tx.send(i as i64).unwrap();
        }
        join_all(tasks).await;
    });
    emit(a, "broadcast", per(d, n), "ns");
}

fn mutex(a: &Args, actors: usize) {
    let (rt, each) = (runtime(a), a.count(2_000_000) / actors);
    let (d, count) = timed(a, &rt, || async move {
        let m = Arc::new(Mutex::new(0usize));
        let lock = |m: Arc<Mutex<usize>>| async move {
            for _ in 0..each {
                *m.lock().await += 1;
            }
        };
        join_all((0..actors).map(|_| tokio::spawn(lock(m.clone()))).collect()).await;
        let count = *m.lock().await;
        count
    });
    if count != each * actors {
        die("mutex: lost count");
    }
    emit(a, &a.work, per(d, each * actors), "ns");
}

fn semaphore(a: &Args, actors: usize) {
    let each = a.count(if actors == 1 { 2_000_000 } else { 1_000_000 }) / actors;
    let rt = runtime(a);
    let (d, free) = timed(a, &rt, || async move {
        let sem = Arc::new(Semaphore::new(2));
        let take = |sem: Arc<Semaphore>| async move {
            for _ in 0..each {
                drop(sem.acquire().await.unwrap());
            }
        };
        join_all(
            (0..actors)
                .map(|_| tokio::spawn(take(sem.clone())))
                .collect(),
        )
        .await;
        sem.available_permits()
    });
    if free != 2 {
        die("semaphore: lost a permit");
    }
    emit(a, &a.work, per(d, each * actors), "ns");
}

fn blocking(a: &Args) {
    let (rt, n) = (runtime(a), a.count(50_000));
    let (d, ()) = timed(a, &rt, || async move {
        for _ in 0..n {
            tokio::task::spawn_blocking(|| ()).await.unwrap();
        }
    });
    emit(a, "blocking", per(d, n), "ns");
}

pub fn run(a: &Args) {
    match a.work.as_str() {
        "spawn_inside" => spawn_inside(a),
        "spawn_outside1" => spawn_outside(a, 1),
        "spawn_outside2" => spawn_outside(a, 2),
        "yield1" => yields(a, 1),
        "yield1000" => yields(a, 1000),
        "pingpong" => pingpong(a),
        "wake" => wake(a, false),
        "wake_spawn" => wake(a, true),
        "fib" => run_fib(a),
        "skynet" => run_skynet(a),
        "timer" => timers(a),
        "sleeps" => sleeps(a),
        "memory_sleeping" => memory(a, true),
        "memory_parked" => memory(a, false),
        "cpu" => cpu(a),
        "chan1" => chan(a, 1),
        "chan4" => chan(a, 4),
        "oneshot" => oneshots(a),
        "broadcast" => broadcasts(a),
        "mutex1" => mutex(a, 1),
        "mutex4" => mutex(a, 4),
        "semaphore1" => semaphore(a, 1),
        "semaphore4" => semaphore(a, 4),
        "blocking" => blocking(a),
        _ => die("unknown work"),
    }
}
