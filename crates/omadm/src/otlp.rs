//! Traces of requests for a collector of OpenTelemetry, over HTTP (OTLP).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::failure::Failure;

/// Where the spans of requests come from.
const REQUESTS: &str = "omadm_server::requests";
/// Most octets of an answer of the collector.
const MAX_ANSWER: usize = 1 << 20;
/// How long the collector may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends what is traced; it has to be stopped, so that nothing is lost that was traced last.
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Towards the collector at `endpoint`, such as `http://127.0.0.1:4318`. Needs a running runtime.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn to(endpoint: &str) -> Result<Self, Failure> {
        let unusable = |error: String| Failure::Failed(format!("log.otlp is {endpoint:?}: {error}"));
        let connector = HttpsConnector::new().map_err(|error| unusable(error.to_string()))?;
        let client = Collector {
            http: Client::builder(TokioExecutor::new()).build(connector),
            runtime: Handle::current(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let resource = Resource::builder().with_service_name("omadm").build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build()))
    }

    /// What takes the spans of requests, and no others.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let requests = Targets::new().with_target(REQUESTS, LevelFilter::DEBUG);
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("omadm")).with_filter(requests)
    }

    /// Sends what is left, and ends.
    pub async fn stop(self) {
        // It waits for the collector, which this runtime talks to.
        let stopped = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
        match stopped {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "some traces may not have reached the collector"),
            Err(error) => tracing::warn!(%error, "the traces did not end well"),
        }
    }
}

/// The collector. Who exports runs on a thread of its own, and the connections on the runtime.
#[derive(Debug)]
struct Collector {
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let exchange = self.http.request(request.map(Full::new));
        let whole = async {
            let (head, body) = exchange.await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        let sending = self.runtime.spawn(async { tokio::time::timeout(PATIENCE, whole).await });
        sending.await??
    }
}
