//! The binary `allod`.

fn main() -> std::process::ExitCode {
    allod_server::cli::main()
}
