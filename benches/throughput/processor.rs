//! Time that a whole process spent on processors, and how many others want them.

/// Seconds since its start, all threads together; nothing where the system does not tell (it is read from Linux's `/proc`).
pub fn seconds(process: u32) -> f64 {
    let told = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // After the name in brackets: user and system time are the 12th and 13th, in hundredths.
    let after = told.rsplit(')').next().unwrap_or_default();
    let ticks: f64 = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}

/// Those who ran or wanted to in the last minute, where the system tells.
pub fn wanted() -> String {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split(' ').next().unwrap_or_default().to_owned()
}
