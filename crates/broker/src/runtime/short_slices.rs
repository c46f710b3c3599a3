//! Threads that serve connections run as soon as they are woken.
//!
//! A thread that has only just come to run keeps its processor for a slice, a millisecond or more on Linux, from whoever is woken
//! meanwhile, however nice it is: one that reads old records, compacts or syncs would hold a producer up for so long. Linux lets a
//! thread ask for shorter slices (since 6.12); one with a shorter slice than who runs takes the processor when it is woken.
//! It gets no larger share by that. Called by a thread of itself as it begins; a system that refuses leaves it as it is, and so
//! does a policy that an operator chose and that knows no slices.
//!
//! A thread has the slices of the one that started it: those that are started by connections and serve none ask for the usual
//! ones. Threads on which tokio runs what may wait have short ones too, for it may give them connections to serve.

/// This thread asks for the shortest slices.
pub fn ask() {
    set(SLICE);
}

/// This thread has been started by one that asked, and has slices as all others.
pub fn leave() {
    set(0);
}

/// The shortest slice that Linux gives, in nanoseconds; 0 is the usual one.
const SLICE: u64 = 100_000;

fn set(slice: u64) {
    #[cfg(target_os = "linux")]
    if let Err(error) = set_on_linux(slice) {
        tracing::debug!(%error, slice, "a thread keeps the slices it has");
    }
    #[cfg(not(target_os = "linux"))]
    let _nobody_knows = slice;
}

/// `struct sched_attr` as it is since Linux 3.14.
#[cfg(target_os = "linux")]
#[repr(C)]
#[derive(Default)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// `SCHED_FLAG_KEEP_POLICY`: the policy stays what it is.
#[cfg(target_os = "linux")]
const KEEP_POLICY: u64 = 0x08;

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "neither the C library nor rustix has the call")]
fn set_on_linux(slice: u64) -> std::io::Result<()> {
    // As nice as it is it stays.
    let nice = rustix::process::getpriority_process(None)?;
    let size = u32::try_from(size_of::<SchedAttr>()).expect("a struct of 48 bytes");
    let wanted = SchedAttr { size, flags: KEEP_POLICY, nice, runtime: slice, ..SchedAttr::default() };
    // SAFETY: the call reads as many bytes as the size says, which outlive it; thread 0 is the one that calls.
    match unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wanted, 0) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// What the system tells of this thread; older ones take a wish and pass over it.
    fn told(what: &str) -> Option<i64> {
        let told = std::fs::read_to_string("/proc/thread-self/sched").unwrap_or_default();
        let line = told.lines().find_map(|line| line.strip_prefix(what));
        line?.rsplit(':').next()?.trim().parse().ok()
    }

    #[test]
    fn a_thread_has_a_short_slice_and_its_policy_and_niceness_and_hands_none_on_that_leaves_it() {
        let of_thread = || {
            // SAFETY: the pointer leads to a value that outlives the call; on Linux 0 is the calling thread.
            let priority = libc::sched_param { sched_priority: 0 };
            #[expect(unsafe_code, reason = "as above")]
            let chosen = unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const priority) };
            assert_eq!(chosen, 0);
            rustix::process::setpriority_process(None, 3).unwrap();
            let usual = told("se.slice");
            set_on_linux(SLICE).unwrap();
            assert_eq!(rustix::process::getpriority_process(None).unwrap(), 3);
            assert_eq!(told("policy").unwrap_or(3), 3, "SCHED_BATCH");
            let short = told("se.slice");
            let started = std::thread::spawn(|| {
                let inherited = told("se.slice");
                set_on_linux(0).unwrap();
                (inherited, told("se.slice"))
            });
            (usual, short, started.join().unwrap())
        };
        let (usual, short, (inherited, left)) = std::thread::spawn(of_thread).join().unwrap();
        if usual.is_some() {
            let wanted = Some(i64::try_from(SLICE).unwrap());
            assert_eq!((short, inherited, left), (wanted, wanted, usual));
        }
    }
}
