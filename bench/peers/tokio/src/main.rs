// SPDX-License-Identifier: MIT

//! The Tokio peer of the side-by-side suite; see ../common/peer.h for the command line and the
//! record. Feature `mimalloc` changes the allocator and the name.

mod work;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub const PEER: &str = if cfg!(feature = "mimalloc") {
    "tokio-mimalloc"
} else {
    "tokio"
};

pub struct Args {
    pub work: String,
    pub workers: usize,
    pub n: usize,
    pub warm: bool,
    pub pin: i64,
}

impl Args {
    pub fn count(&self, n: usize) -> usize {
        if self.n > 0 {
            self.n
        } else {
            n
        }
    }
}

pub fn die(what: &str) -> ! {
    eprintln!("{PEER}: {what}");
    std::process::exit(2)
}

pub fn emit(a: &Args, work: &str, value: f64, unit: &str) {
    println!(
        "{{\"work\":\"{work}\",\"peer\":\"{PEER}\",\"workers\":{},\"value\":{value:.3},\"unit\":\"{unit}\"}}",
        a.workers
    );
}

/// Latencies in ns, in `unit` of `scale` ns; the value is the median.
pub fn emit_latency(
    a: &Args,
    work: &str,
    ns: &mut [i64],
    scale: f64,
    unit: &str,
    cpu: Option<f64>,
) {
    ns.sort_unstable();
    let at = |p: f64| ns[((ns.len() as f64 * p) as usize).min(ns.len() - 1)] as f64 / scale;
    let cpu = cpu.map_or(String::new(), |s| format!(",\"cpu_s\":{s:.4}"));
    println!(
        "{{\"work\":\"{work}\",\"peer\":\"{PEER}\",\"workers\":{},\"value\":{:.4},\"unit\":\"{unit}\",\
         \"p50\":{:.4},\"p99\":{:.4},\"min\":{:.4},\"max\":{:.4}{cpu}}}",
        a.workers, at(0.5), at(0.5), at(0.99), at(0.0), at(1.0)
    );
}

/// The version that Cargo.lock fixed.
fn tokio_version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let after = lock
        .split_once("name = \"tokio\"\nversion = \"")
        .map(|(_, after)| after);
    after.and_then(|text| text.split('"').next()).unwrap_or("?")
}

fn main() {
    let argv: Vec<String> = std::env::args().collect();
    if argv.len() < 2 {
        die("usage: WORK [--workers N] [--n N] [--warm 0|1] [--pin CPU]");
    }
    let mut a = Args {
        work: argv[1].clone(),
        workers: 2,
        n: 0,
        warm: true,
        pin: -1,
    };
    for pair in argv[2..].chunks(2) {
        let v: i64 = pair
            .get(1)
            .and_then(|s| s.parse().ok())
            .unwrap_or_else(|| die("not a number"));
        match pair[0].as_str() {
            "--workers" => a.workers = v as usize,
            "--n" => a.n = v as usize,
            "--warm" => a.warm = v != 0,
            "--pin" => a.pin = v,
            _ => die("unknown option"),
        }
    }
    if a.work == "version" {
        let with = if cfg!(feature = "mimalloc") {
            " with mimalloc"
        } else {
            ""
        };
        println!("Tokio {}{with}", tokio_version());
        return;
    }
    work::run(&a);
}
