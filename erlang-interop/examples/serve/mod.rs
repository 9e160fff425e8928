//! How a serving example waits for its end.

/// Waits until standard input ends: until Ctrl-D, or until the parent is gone.
pub(crate) async fn until_input_ends() -> Result<(), crate::arguments::Failure> {
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await??;
    Ok(())
}
