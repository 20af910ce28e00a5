//! Rows of DM 2.0, a module a section of the standard; one binary, so that the product is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "clippy knows test functions as such, and not the helpers beside them"
)]

mod app_c_faults;
mod app_c_status;
mod app_e_cloud;
mod app_e_kannel;
mod app_e_notifications;
mod app_e_push;
mod app_e_sessions;
mod app_f_multipart;
mod app_g_faults;
mod app_g_formats;
mod app_g_smartcard;
mod app_g_swapped;
mod app_g_writing;
mod app_h_secured;
mod app_i_examples;
mod bad_input;
mod processes;
mod release;
mod sec_10_access;
mod sec_11_cache;
mod sec_11_server;
mod sec_12_2_1_keys;
mod sec_12_2_noti;
mod sec_12_accounts;
mod sec_12_definitions;
mod sec_12_objects;
mod sec_13_dm1;
mod sec_5_1_model;
mod sec_5_2_packages;
mod sec_5_2_server;
mod sec_5_3_10_default;
mod sec_5_3_11_server;
mod sec_5_3_11_sub;
mod sec_5_3_1_hget;
mod sec_5_3_2_hput_hpost;
mod sec_5_3_4_delete;
mod sec_5_3_5_exec;
mod sec_5_3_6_get;
mod sec_5_3_7_server;
mod sec_5_3_7_show;
mod sec_5_3_8_cont_end;
mod sec_5_3_commands;
mod sec_5_3_pair;
mod sec_5_3_server;
mod sec_5_4_1_later;
mod sec_5_4_1_server;
mod sec_5_4_alerts;
mod sec_5_5_accept;
mod sec_5_6_http_errors;
mod sec_6_1_client_uri;
mod sec_6_2_server_uri;
mod sec_6_3_nodes;
mod sec_6_4_ddf;
mod sec_6_4_server;
mod sec_6_server_addressing;
mod sec_7_1_notification;
mod sec_7_2_json;
mod sec_8_3_fetching;
mod sec_8_4_device;
mod sec_8_4_server;
mod sec_8_bootstrap;
mod sec_8_revocation;
mod sec_9_2_digest;
mod sec_9_2_identity;
mod sec_9_2_suites;
mod sec_9_3_gba;
mod sec_9_3_push;
mod sec_9_security;
