//! The worker process of one camera: `privet-hub camera-worker`.

/// Runs the worker; what the subcommand `camera-worker` calls, before anything else of the hub is set up.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::FAILURE
}
