// A role as a state machine: messages, timers and finished work in, effects out. No I/O but the
// node's own store, which comes in by constructor. Time is constant within one call.
#pragma once

#include "model/task.h"
#include "model/transaction.h"
#include "net/message.h"
#include "node/notice.h"

namespace lockstep::node {

using crypto::PublicKey;

struct Send {
  PublicKey to;  // a node key
  net::Message message;
};
/// on_timer(now, id) at or after at_ms. Timers are never cancelled: a node ignores late ones.
struct SetTimer {
  uint64_t at_ms = 0;
  uint64_t id = 0;
};
enum class WorkKind : uint8_t {
  execute,  // gives an Execution; its outputs are in the node's store
  steps,    // gives the state root after every step
  trace,    // gives the StepTrace of `step`
};
/// Runs on this node's machine, one after the other. Every blob of the task is in the node's store.
struct RunTask {
  uint64_t id = 0;
  WorkKind kind = WorkKind::execute;
  model::Task task;  // its program outlives the work
  uint32_t step = 0;
};
/// The owner of this node is asked to sign; on_signed() brings it.
struct AskOwner {
  model::Transaction transaction;
};
struct Tell {
  Notice notice;
};
/// Who offers work is asked for, of whoever knows (the host asks the ledger's node);
/// on_providers() brings it, perhaps never. Asked again when it is still of use.
struct FindProviders {};
using Effect = std::variant<Send, SetTimer, RunTask, AskOwner, Tell, FindProviders>;
using Effects = std::vector<Effect>;

struct WorkDone {
  uint64_t id = 0;
  Result<std::variant<model::Execution, std::vector<Hash>, model::StepTrace>> result;
};

class Node {
 public:
  virtual ~Node() = default;
  virtual void start(uint64_t now_ms) = 0;
  virtual void on_message(uint64_t now_ms, const PublicKey& from, const net::Message& message) = 0;
  virtual void on_timer(uint64_t now_ms, uint64_t id) = 0;
  virtual void on_work(uint64_t now_ms, WorkDone done) = 0;
  virtual void on_signed(uint64_t now_ms, const model::Signed& transaction) = 0;
  /// Node keys of providers, in any order; some may be known from earlier or gone.
  virtual void on_providers(uint64_t /*now_ms*/, std::span<const PublicKey> /*providers*/) {}
  /// What the last calls asked for, in order; empties the list.
  [[nodiscard]] Effects take_effects() { return std::exchange(effects_, {}); }

 protected:
  Effects effects_;
};

struct Identity {
  crypto::SecretKey key;  // the node's
  PublicKey owner;
};

}  // namespace lockstep::node
