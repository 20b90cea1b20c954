//! Compiles the messages of `proto/` to Rust, without `protoc`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(
        [
            "announcement.proto",
            "call.proto",
            "delta.proto",
            "node.proto",
            "object.proto",
            "request.proto",
        ],
        ["proto"],
    )?;
    prost_build::Config::new().compile_fds(files)?;
    Ok(())
}
