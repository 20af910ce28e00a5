//! The first page: the fleet at a glance.

use maud::html;

use super::failure::Failure;
use super::frame::Page;
use super::visit::Visit;

/// Shows the fleet.
pub async fn show(_visit: Visit) -> Result<Page, Failure> {
    Ok(Page::new("Overview", html! { p { "The fleet." } }))
}
