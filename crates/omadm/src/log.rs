//! The log of `omadm serve`: each line that is written in the course of a request says which.
//!
//! The words for it are put together when a line is written, not when the request comes: most requests write none.

use std::fmt;
use std::io::IsTerminal as _;

use omadm_server::RequestInWork;
use omadm_server::config::{LogForm, LogSection};
use serde_json::json;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::Failure;

/// What is logged if OMADM_LOG does not say otherwise.
const DEFAULT: &str = "info";

/// What is logged.
pub fn filter() -> Result<EnvFilter, Failure> {
    match std::env::var("OMADM_LOG") {
        Ok(text) => EnvFilter::try_new(&text)
            .map_err(|error| Failure::Usage(format!("OMADM_LOG is {text:?}, which sets no level: {error}"))),
        Err(_) => Ok(EnvFilter::new(DEFAULT)),
    }
}

/// The log as long as the program runs.
pub struct Log {
    #[cfg(feature = "otlp")]
    traces: Option<crate::otlp::Traces>,
}

impl Log {
    /// Writes to standard error from now on, and traces requests if the configuration says where to.
    ///
    /// # Errors
    /// When they cannot be traced.
    pub fn start(filter: EnvFilter, section: &LogSection) -> Result<Self, Failure> {
        let lines = tracing_subscriber::registry().with(lines(section.format).with_filter(filter));
        #[cfg(feature = "otlp")]
        {
            let traces = section.otlp.as_deref().map(crate::otlp::Traces::to).transpose()?;
            lines.with(traces.as_ref().map(|traces| traces.layer())).init();
            Ok(Self { traces })
        }
        #[cfg(not(feature = "otlp"))]
        {
            if section.otlp.is_some() {
                let problem = "log.otlp needs a program that was built with the feature otlp";
                return Err(Failure::Failed(problem.to_owned()));
            }
            lines.init();
            Ok(Self {})
        }
    }

    /// Sends what is left of the traces.
    pub async fn stop(self) {
        #[cfg(feature = "otlp")]
        if let Some(traces) = self.traces {
            traces.stop().await;
        }
    }
}

fn lines<S>(form: LogForm) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match form {
        LogForm::Text => {
            let coloured = std::io::stderr().is_terminal();
            let format = tracing_subscriber::fmt::format().with_target(false).with_ansi(coloured);
            lines.with_ansi(coloured).event_format(OfRequest { inner: format, form }).boxed()
        }
        LogForm::Json => {
            let format = tracing_subscriber::fmt::format().with_target(false).json();
            let fields = tracing_subscriber::fmt::format::JsonFields::new();
            lines.event_format(OfRequest { inner: format, form }).fmt_fields(fields).boxed()
        }
    }
}

/// Lines of another form, with the request that they belong to.
struct OfRequest<F> {
    inner: F,
    form: LogForm,
}

impl<S, N, F> FormatEvent<S, N> for OfRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        // Who follows single requests has a span that says it already.
        let has_span = context.event_scope().is_some_and(|mut spans| {
            spans.any(|span| {
                span.extensions().get::<FormattedFields<N>>().is_some() && span.name() == "request"
            })
        });
        let request = if has_span { None } else { RequestInWork::look(|request| shown(request, self.form)) };
        let Some(request) = request else { return self.inner.format_event(context, writer, event) };
        let mut line = String::new();
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        let line = line.trim_end();
        match self.form {
            LogForm::Text => writeln!(writer, "{line} {request}"),
            LogForm::Json => {
                writeln!(writer, "{},\"request\":{request}}}", line.strip_suffix('}').unwrap_or(line))
            }
        }
    }
}

fn shown(request: &RequestInWork, form: LogForm) -> String {
    let (id, method, path) = (request.id(), request.method(), request.path());
    let peer = request.peer().map(|peer| peer.to_string());
    match form {
        LogForm::Text => {
            format!("request={id} peer={} method={method} path={path}", peer.as_deref().unwrap_or("?"))
        }
        LogForm::Json => json!({ "id": id, "peer": peer, "method": method, "path": path }).to_string(),
    }
}
