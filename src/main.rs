//! The `sdtd` command.

fn main() -> std::process::ExitCode {
    sdtd::cli::main()
}
