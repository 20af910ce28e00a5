//! Rows of DM 2.0, a module a section of the standard; one binary, so that the product is linked once.

mod app_c_status;
mod sec_5_1_model;
mod sec_5_2_packages;
mod sec_5_3_1_hget;
mod sec_5_3_2_hput_hpost;
mod sec_5_3_4_delete;
mod sec_5_3_5_exec;
mod sec_5_3_6_get;
mod sec_5_3_8_cont_end;
mod sec_5_3_commands;
mod sec_5_5_accept;
mod sec_5_6_http_errors;
mod sec_6_1_client_uri;
mod sec_6_2_server_uri;
