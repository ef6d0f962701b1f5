// SPDX-License-Identifier: MIT
//! The echo server in Tokio, multi_thread: a task a connection, its buffer inside the task.
//! The same arguments and first line as the others; see common.h.
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// The version of Tokio, out of the lock file that this was built with.
fn version() -> &'static str {
    let lock = include_str!("../Cargo.lock");
    lock.split("name = \"tokio\"\nversion = \"").nth(1).and_then(|s| s.split('"').next()).unwrap_or("?")
}

fn argument(name: &str, default: usize) -> usize {
    let mut args = std::env::args().skip_while(|a| a != name);
    args.nth(1).map_or(default, |v| v.parse().expect("a number"))
}

async fn echo(mut stream: TcpStream) {
    let mut buf = [0u8; 1024];
    while let Ok(n) = stream.read(&mut buf).await {
        if n == 0 || stream.write_all(&buf[..n]).await.is_err() {
            break;
        }
    }
}

async fn serve(port: u16) -> std::io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, 1], port).into())?;
    let listener = socket.listen(4096)?;
    println!("listening {} tokio {}", listener.local_addr()?.port(), version());
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true)?;
            tokio::spawn(echo(stream));
        }
    }
}

fn main() -> std::io::Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(argument("--threads", 1))
        .enable_io()
        .build()?
        .block_on(async {
            // On a worker: what block_on drives itself is slower.
            tokio::spawn(serve(argument("--port", 0) as u16)).await.expect("serve")
        })
}
