// What nodes tell people. Ledger events are told as they are; the rest is the requester's view.
#pragma once

#include "ledger/events.h"
#include "place/place.h"

namespace lockstep::node {

struct LedgerNews {
  uint64_t height = 0;
  uint64_t time_ms = 0;
  ledger::Event event;
};
struct OffersRanked {
  std::vector<place::Offer> offers;
  place::Plan plan;
};
struct RoundFinished {
  uint32_t round = 0;  // from 1
  double loss = 0;
  bool again = false;   // it was finished before and voided
  uint32_t rounds = 0;  // of the job
};
struct LeaseLost {
  model::LeaseId lease;
  crypto::PublicKey node;
  uint64_t silent_ms = 0;
  std::vector<model::TaskTag> tasks;  // placed again elsewhere
};
/// A task's way on one machine, as the requester sees it.
struct TaskPlaced {
  model::TaskId id;
  model::TaskTag tag;
  crypto::PublicKey node;
};
struct TaskDelivered {
  model::TaskId id;  // its outputs are still to be read
};
struct TaskAccepted {
  model::TaskId id;
};
/// It is placed again.
struct TaskDeclined {
  model::TaskTag task;
  crypto::PublicKey node;
  std::string reason;  // in the node's own words
};
/// What a conviction undid: tasks to be run again.
struct WorkVoided {
  uint64_t tasks = 0;
  uint32_t first_round = 0;  // from 1; 0 when no round is undone, only what followed the rounds
  std::vector<model::TaskTag> tags;  // finished or placed
};
/// A planner's results table (plan/planner.h) with its numbers read.
struct TableNumber {
  double value = 0;
  uint32_t decimals = 0;  // to be shown
};
struct TableTold {
  std::vector<std::string> columns;
  std::vector<std::vector<std::variant<std::string, TableNumber>>> rows;
  std::optional<uint64_t> chosen;  // the row, from 0, whose model the job kept
};
struct JobFinished {
  std::vector<std::pair<std::string, model::TensorRef>> parameters;
  std::optional<uint64_t> correct;  // of the evaluation
  uint64_t test_images = 0;
  TableTold table;
};
struct JobFailed {
  Error error;
};
struct JobOver {
  model::JobId job;  // settled: nothing more follows
};
struct DryRunOver {};  // offers were ranked, nothing was opened: nothing more follows

using Notice = std::variant<LedgerNews,
                            OffersRanked,
                            RoundFinished,
                            LeaseLost,
                            WorkVoided,
                            JobFinished,
                            JobFailed,
                            JobOver,
                            DryRunOver,
                            TaskPlaced,
                            TaskDelivered,
                            TaskAccepted,
                            TaskDeclined>;

}  // namespace lockstep::node
