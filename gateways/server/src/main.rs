//! The binary `allod`.

/// Answers are made of many short-lived pieces, on several threads; this allocator takes a quarter off what they cost.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    allod_server::cli::main()
}
