//! The workspace's own commands: `cargo xtask demo | test | conformance | cluster | features | screenshots | api | package | install | bench`.
//!
//! Here: installing what a bare machine lacks, running the tools and the built programs, and judging what they say.
//! Never here: product code; nothing depends on this crate and it depends on no other of the workspace.

mod api;
mod bench;
mod cluster;
mod conformance;
mod demo;
#[cfg(test)]
mod docs;
mod edges;
mod features;
mod install;
mod package;
mod python;
mod screenshots;
mod test;
mod workspace;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  demo [--keep]                        build, start a server and a real agent for each protocol on this machine, run sessions, say
                                       what happened (--keep leaves them running until Ctrl-C)
  test                                 install what is missing, check the crate edges, run every test
  conformance [--output table|json]    run the conformance tests and say which rows of the matrix they prove
  cluster [--seconds N] [--failover]   kill nodes over one PostgreSQL under load for N seconds (120), with its primary, too, and see that nothing
                                       is lost
  api [--seconds N]                    make requests to a real server by its OpenAPI document for N seconds (120), with schemathesis from PyPI, and see
                                       that none makes it fail and every answer is as the document says
  features                             lint and test what a plain build leaves out: packages in a bucket (s3, against moto from PyPI) and
                                       traces for a collector (otlp, decoded by what OpenTelemetry publishes)
  package [--try]                      make packages of Debian of server and agent, which lintian has to find good, and try them in a
                                       Debian of their own, as root
  install                              install what build and tests need from Debian, as the commands above do by themselves
  screenshots                          picture every page of the operator console, light, dark and on a phone, into target/screenshots
  bench [ARGS]                         run the benchmarks in release mode; ARGS go to them as they are
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["demo"] => demo::run(demo::Ending::Stop),
        ["demo", "--keep"] => demo::run(demo::Ending::Keep),
        ["test"] => test::run(),
        ["conformance"] | ["conformance", "--output", "table"] | ["conformance", "--output=table"] => {
            conformance::run(conformance::Format::Table)
        }
        ["conformance", "--output", "json"] | ["conformance", "--output=json"] => {
            conformance::run(conformance::Format::Json)
        }
        ["cluster", rest @ ..] => match cluster::Run::read(rest) {
            Some(run) => run.run(),
            None => return wrong_usage(),
        },
        ["api", rest @ ..] => api::run(rest),
        ["features"] => features::run(),
        ["package", rest @ ..] => match package::Run::read(rest) {
            Some(run) => run.run(),
            None => return wrong_usage(),
        },
        ["install"] => install::for_tests(),
        ["screenshots"] => screenshots::pictures(),
        ["bench", rest @ ..] => bench::run(rest),
        ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => return wrong_usage(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

fn wrong_usage() -> ExitCode {
    eprint!("{USAGE}");
    ExitCode::from(2)
}
