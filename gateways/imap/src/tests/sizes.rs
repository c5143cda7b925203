//! What an idle connection costs.

use super::*;

/// Most that a connection's task may hold while nothing happens, in bytes. Buffers are empty then.
const TASK_BYTES_MAX: usize = 4096;

#[tokio::test]
async fn an_idle_task_is_small() {
    let served = serve().await;
    let listener = Listener::bind(Binding::plain("127.0.0.1:0".parse().unwrap())).await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let accepted = listener.accept().await;
    let places = crate::limits::Places::new(1, 1);
    let shared = Arc::new(crate::connection::Shared {
        core: served.core.clone(),
        options: Options::default(),
        places,
    });
    let task = crate::connection::serve(shared, None, accepted, Stop::new());
    let size = std::mem::size_of_val(&task);
    println!("the task of a connection: {size} bytes");
    assert!(size <= TASK_BYTES_MAX, "the task of a connection has {size} bytes");
}
