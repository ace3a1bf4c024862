//! The figures of this process, under the names that Prometheus' client libraries give them. From `/proc`, so on Linux
//! only; elsewhere they are not on the page.

use metrics::Unit;

use super::series::Maker;

/// Ticks of `utime` and `stime` a second: what Linux shows to programs, whatever the kernel's own clock does.
const TICKS: f64 = 100.0;

pub(super) fn explain(make: Maker<'_>) {
    let (bytes, seconds) = (Some(Unit::Bytes), Some(Unit::Seconds));
    for (name, unit, help) in [
        ("process_resident_memory_bytes", bytes, "Memory in use."),
        ("process_virtual_memory_bytes", bytes, "Memory mapped."),
        ("process_open_fds", None, "Open file descriptors."),
        ("process_max_fds", None, "Most file descriptors it may open."),
        ("process_threads", None, "Threads."),
        ("process_cpu_seconds_total", seconds, "Processor time used."),
        (
            "process_start_time_seconds",
            seconds,
            "When it started, since 1970.",
        ),
    ] {
        make.explain(name, unit, help);
    }
}

/// Notes when this process started.
pub(super) fn started(make: Maker<'_>) {
    let now = jiff::Timestamp::now().as_duration().as_secs_f64();
    make.gauge("process_start_time_seconds", &[]).set(now);
}

/// Writes what the system says of this process. What it does not say is left out.
pub(super) fn look(make: Maker<'_>) {
    let set = |name: &'static str, value: Option<f64>| {
        if let Some(value) = value {
            make.gauge(name, &[]).set(value);
        }
    };
    let status = read("status");
    let kib = |key| number_after(&status, key).map(|kib| kib * 1024.0);
    set("process_resident_memory_bytes", kib("VmRSS:"));
    set("process_virtual_memory_bytes", kib("VmSize:"));
    set("process_threads", number_after(&status, "Threads:"));
    let open = std::fs::read_dir("/proc/self/fd").map(|open| open.count() as f64);
    set("process_open_fds", open.ok());
    set("process_max_fds", number_after(&read("limits"), "Max open files"));
    let stat = read("stat");
    // The name of the program stands in brackets and may hold anything; the figures follow it.
    let figures: Vec<f64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().map(|word| word.parse().unwrap_or(0.0)))
        .into_iter()
        .flatten()
        .collect();
    if let [user, system, ..] = figures.get(11..).unwrap_or_default() {
        // Whole seconds: counters of this recorder are whole numbers, and a rate is taken over minutes.
        make.counter("process_cpu_seconds_total", &[])
            .absolute(((user + system) / TICKS) as u64);
    }
}

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default()
}

/// The first number of the line that begins with `key`.
fn number_after(text: &str, key: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}
