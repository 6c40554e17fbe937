//! The TMS session's requests and event stream as tasks of the driver's runtime.

use crate::tms::{
    client::{Client, EventStream, REQUEST_TIMEOUT, exchange},
    outcome::{Answer, Failure},
    session::{ApiRequest, RequestId, Stream},
};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

#[derive(Debug)]
pub(super) enum TmsInput {
    Answer { id: RequestId, result: Result<Answer, Failure> },
    Stream { generation: u64, what: Stream },
}

#[derive(Debug)]
pub(super) struct TmsShell {
    client: Client,
    tasks: JoinSet<()>,
    stream: Option<AbortHandle>,
    /// Counts streams, so that one that was replaced is not heard any more.
    generation: u64,
    inputs: mpsc::Sender<TmsInput>,
}

impl TmsShell {
    pub(super) fn new(client: Client, inputs: mpsc::Sender<TmsInput>) -> Self {
        Self { client, tasks: JoinSet::new(), stream: None, generation: 0, inputs }
    }

    pub(super) fn request(&mut self, id: RequestId, request: ApiRequest) {
        while self.tasks.try_join_next().is_some() {}
        let (inputs, http) = (self.inputs.clone(), self.client.ready(&request.url));
        self.tasks.spawn(async move {
            let result = match http {
                Ok(http) => exchange(http, request, REQUEST_TIMEOUT).await,
                Err(failure) => Err(failure),
            };
            // Nobody is left to tell only when the driver has stopped.
            let _ = inputs.send(TmsInput::Answer { id, result }).await;
        });
    }

    pub(super) fn open_events(&mut self, request: ApiRequest) {
        self.close_events();
        let (inputs, http, generation) = (self.inputs.clone(), self.client.ready(&request.url), self.generation);
        self.stream = Some(self.tasks.spawn(async move {
            let tell = async |what| inputs.send(TmsInput::Stream { generation, what }).await;
            let result = match http {
                Ok(http) => EventStream::open(http, request).await,
                Err(failure) => Err(Err(failure)),
            };
            let closed = match result {
                Err(closed) => closed,
                Ok(mut stream) => {
                    let _ = tell(Stream::Opened).await;
                    loop {
                        match stream.next().await {
                            Err(failure) => break Err(failure),
                            Ok(events) => {
                                for event in events {
                                    let _ = tell(Stream::Event(event)).await;
                                }
                            }
                        }
                    }
                }
            };
            let _ = tell(Stream::Closed(closed)).await;
        }));
    }

    pub(super) fn close_events(&mut self) {
        self.generation += 1;
        if let Some(stream) = self.stream.take() {
            stream.abort();
        }
    }

    pub(super) const fn is_current(&self, generation: u64) -> bool {
        self.generation == generation
    }
}
