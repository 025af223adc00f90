//! The `sdtd` command: parses, runs, exits.
fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
