// The kinds of messages, transactions, events and work as logs and metrics name them: lower case,
// for good.
#pragma once

#include <array>
#include <string_view>
#include <variant>

#include "net/message.h"
#include "node/node.h"

namespace lockstep::apps {

inline constexpr std::array message_names = {
    "submit_transaction",
    "follow_blocks",
    "blocks",
    "ask_quote",
    "give_quote",
    "assign",
    "cancel_task",
    "decline",
    "deliver",
    "give_voucher",
    "alive",
    "ask_blob",
    "give_blob",
    "ask_genesis",
    "give_genesis",
};

inline constexpr std::array transaction_names = {
    "transfer",    "register_node", "add_stake",        "withdraw_stake",  "register_program",
    "open_job",    "open_lease",    "post_claim",       "reveal_preimage", "commit_audit",
    "open_salts",  "reveal_audit",  "commit_challenge", "challenge",       "ask_open",
    "post_answer", "post_proof",    "close_lease",      "close_job",
};

inline constexpr std::array event_names = {
    "transaction_failed", "job_opened",      "lease_opened",   "claim_posted",   "claim_drawn",
    "auditor_drawn",      "audit_committed", "salts_opened",   "salts_unopened", "audit_agreed",
    "audit_disagreed",    "audit_lapsed",    "dispute_opened", "asked",          "answered",
    "dispute_ended",      "slashed",         "tasks_voided",   "lease_closed",   "job_closed",
    "job_settled",
};

inline constexpr std::array work_names = {"execute", "steps", "trace"};

static_assert(message_names.size() >= std::variant_size_v<net::Message>);
static_assert(transaction_names.size() >= std::variant_size_v<model::Transaction>);
static_assert(event_names.size() >= std::variant_size_v<ledger::Event>);

/// Of a transaction that is signed, from the first byte of its body; "unknown" for none.
[[nodiscard]] inline const char* transaction_name(const model::Signed& transaction) {
  const bool known =
      !transaction.body.empty() && transaction.body.front() < transaction_names.size();
  return known ? transaction_names[transaction.body.front()] : "unknown";
}

}  // namespace lockstep::apps
