//! The relay in this process and as a program; the tests are one program, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../hub/tests/it/common/alone.rs"]
mod alone;
mod away;
mod by_hand;
mod closed;
mod common;
mod data_directory;
mod doctor;
mod drain;
mod expiry;
mod founding;
mod full;
#[path = "../../push/tests/it/common/mod.rs"]
mod gateway;
mod held_back;
mod hostile;
mod lines;
mod loading;
mod messages;
mod metrics;
mod no_room;
mod nodes;
mod nodes_killed;
#[path = "../../../hub/tests/it/common/openmetrics.rs"]
mod openmetrics;
mod operate;
mod pages;
mod played_disk;
mod power_cut;
mod power_cut_rest;
mod program;
mod public_certificate;
mod push;
mod quotas;
mod resting;
mod sees;
mod sequences;
mod shared;
mod slow_disk;
mod slow_link;
mod small;
#[path = "../../../tests/src/space.rs"]
mod space;
mod steps;
mod storage;
mod video;
mod wake;
mod waste;
