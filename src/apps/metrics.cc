#include "apps/metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "apps/kind_names.h"
#include "crypto/key_text.h"

namespace lockstep::apps {
namespace {

constexpr double milliseconds = 1e3;
constexpr double nanoseconds = 1e9;

/// In a HELP line; a label's value is in quotes, which count too.
void add_escaped(std::string& text, std::string_view value, bool quoted) {
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
    } else if (c == '\\' || (quoted && c == '"')) {
      text += '\\';
      text += c;
    } else {
      text += c;
    }
  }
}

std::string text_of_number(double value) {
  if (std::isnan(value)) {
    return "NaN";
  }
  if (std::isinf(value)) {
    return value > 0 ? "+Inf" : "-Inf";
  }
  std::array<char, 64> digits{};
  // People read these: no exponent where it can be done without.
  const double size = std::abs(value);
  const bool plain = size == 0 || (size >= 1e-9 && size < 1e15);
  const auto form = plain ? std::chars_format::fixed : std::chars_format::general;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, form).ptr;
  return {digits.data(), end};
}

}  // namespace

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = name;
  text_ += "# HELP " + name_ + " ";
  add_escaped(text_, help, false);
  text_ += "\n# TYPE " + name_ + " ";
  text_ += type;
  text_ += "\n";
}

void MetricsText::line(std::string_view suffix, Labels labels, std::string_view value) {
  text_ += name_;
  text_ += suffix;
  char before = '{';
  for (const Label& label : labels) {
    text_ += before;
    text_ += label.name;
    text_ += "=\"";
    add_escaped(text_, label.value, true);
    text_ += '"';
    before = ',';
  }
  text_ += labels.size() == 0 ? " " : "} ";
  text_ += value;
  text_ += '\n';
}

void MetricsText::sample(uint64_t value, Labels labels) {
  line({}, labels, std::to_string(value));
}

void MetricsText::sample(double value, Labels labels, std::string_view suffix) {
  line(suffix, labels, text_of_number(value));
}

void MetricsText::sample(Amount value, Labels labels) {
  const std::string text = value.print();
  line({}, labels, std::string_view(text).substr(0, text.find(' ')));
}

void Durations::add(double seconds) {
  ++count_;
  sum_ += seconds;
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (seconds <= bounds[i]) {
      ++counts_[i];
      return;
    }
  }
}

void Durations::write(MetricsText& text, std::string_view name, std::string_view help) const {
  text.family(name, "histogram", help);
  uint64_t below = 0;
  for (size_t i = 0; i < bounds.size(); ++i) {
    below += counts_[i];
    const std::string bound = text_of_number(bounds[i]);
    text.sample(static_cast<double>(below), {{"le", bound}}, "_bucket");
  }
  text.sample(static_cast<double>(count_), {{"le", "+Inf"}}, "_bucket");
  text.sample(sum_, {}, "_sum");
  text.sample(static_cast<double>(count_), {}, "_count");
}

void Earnings::look(const ledger::State& state) {
  auto at = last_ ? state.leases.upper_bound(*last_) : state.leases.begin();
  for (size_t looked = 0; looked < leases_max && at != state.leases.end(); ++looked, ++at) {
    last_ = at->first;
    if (at->second.node == node_) {
      own_.insert(at->first);
    }
  }
  if (at == state.leases.end()) {
    last_.reset();  // new ones may stand anywhere
  }
  int64_t paid = 0;
  int64_t pending = 0;
  for (const model::LeaseId& id : own_) {
    const auto lease = state.leases.find(id);
    if (lease != state.leases.end()) {
      paid += lease->second.paid.nano() + lease->second.paid_void.nano();
      pending += lease->second.pending.nano();
    }
  }
  paid_ = Amount::from_nano(paid);
  pending_ = Amount::from_nano(pending);
}

// ---- counting

void Metrics::on_message(uint64_t /*now_ms*/,
                         const crypto::PublicKey& /*from*/,
                         const net::Message& message) {
  ++messages_in_[message.index()];
  if (const auto* const assign = std::get_if<net::Assign>(&message)) {
    placed_ += assigned_.add(model::task_id(assign->assignment)) ? 1 : 0;
  } else if (const auto* const voucher = std::get_if<net::GiveVoucher>(&message)) {
    const auto read = codec::decode<model::Voucher>(voucher->voucher.body);
    accepted_ += read.ok() && vouched_.add(read->task) ? 1 : 0;
  } else if (const auto* const blob = std::get_if<net::GiveBlob>(&message)) {
    blob_bytes_in_ += blob->bytes.size();
  }
}

void Metrics::on_timer(uint64_t /*now_ms*/, uint64_t /*id*/) {
  ++timers_;
}

void Metrics::on_work(uint64_t /*now_ms*/, const node::WorkDone& done) {
  const auto found = running_.find(done.id);
  if (found == running_.end()) {
    return;
  }
  Finished& finished = finished_[static_cast<size_t>(found->second.kind)];
  ++(done.result.ok() ? finished.ok : finished.failed);
  operations_ += done.result.ok() ? found->second.operations : 0;
  running_.erase(found);
}

void Metrics::on_effect(uint64_t /*now_ms*/, const node::Effect& effect) {
  if (const auto* const sent = std::get_if<node::Send>(&effect)) {
    on_sent(*sent);
  } else if (const auto* const work = std::get_if<node::RunTask>(&effect)) {
    const bool is_whole = work->kind != node::WorkKind::trace;
    running_[work->id] = {work->kind, is_whole ? work->task.operations : 0};
  } else if (const auto* const told = std::get_if<node::Tell>(&effect)) {
    on_told(told->notice);
  }
}

void Metrics::on_sent(const node::Send& sent) {
  ++messages_out_[sent.message.index()];
  if (const auto* const submit = std::get_if<net::SubmitTransaction>(&sent.message)) {
    const model::Signed& made = submit->transaction;
    if (!made.body.empty() && made.body.front() < transactions_.size() &&
        sent_.add({made.signer, made.nonce})) {
      ++transactions_[made.body.front()];
    }
  } else if (const auto* const decline = std::get_if<net::Decline>(&sent.message)) {
    declined_ += refused_.add(decline->task) ? 1 : 0;
  } else if (const auto* const blob = std::get_if<net::GiveBlob>(&sent.message)) {
    blob_bytes_out_ += blob->bytes.size();
  }
}

void Metrics::on_told(const node::Notice& notice) {
  if (const auto* const news = std::get_if<node::LedgerNews>(&notice)) {
    ++events_[news->event.index()];
  } else if (const auto* const placed = std::get_if<node::TaskPlaced>(&notice)) {
    placed_ += assigned_.add(placed->id) ? 1 : 0;
  } else if (const auto* const accepted = std::get_if<node::TaskAccepted>(&notice)) {
    accepted_ += vouched_.add(accepted->id) ? 1 : 0;
  } else if (std::holds_alternative<node::TaskDeclined>(notice)) {
    ++declined_;
  }
}

// ---- telling

std::string Metrics::render(const MetricsNow& now, const Traffic& traffic) {
  MetricsText text;
  write_process(text, now);
  write_traffic(text, now, traffic);
  write_store(text, now, traffic);
  write_work(text, now);
  write_blobs(text);
  write_ledger(text, now);
  if (now.state != nullptr) {
    write_money(text, *now.state);
  }
  return text.take();
}

void Metrics::write_process(MetricsText& text, const MetricsNow& now) const {
  const std::string node = crypto::key_text(of_.node);
  const std::string owner = crypto::key_text(of_.owner);
  text.family("lockstep_node_info", "gauge", "Which node this is; always 1.");
  text.sample(uint64_t{1},
              {{"name", of_.name}, {"role", name_of(of_.role)}, {"node", node}, {"owner", owner}});
  const uint64_t up_ms = now.now_ms - std::min(now.now_ms, started_ms_);
  text.family("lockstep_uptime_seconds", "gauge", "Since this process's node began.");
  text.sample(static_cast<double>(up_ms) / milliseconds);
  text.family("process_start_time_seconds", "gauge", "When it began, since 1970.");
  text.sample(static_cast<double>(started_ms_) / milliseconds);
  text.family("process_cpu_seconds_total", "counter", "User and system CPU time of all threads.");
  text.sample(now.usage.cpu_seconds);
  text.family("process_resident_memory_bytes", "gauge", "Memory that is in RAM.");
  text.sample(now.usage.resident_bytes);
  text.family("process_open_fds", "gauge", "Open file descriptors.");
  text.sample(now.usage.open_files);
  text.family("process_max_fds", "gauge", "How many file descriptors it may open.");
  text.sample(now.usage.open_files_max);
  text.family("lockstep_log_lines_total", "counter", "Lines of the structured log.");
  text.sample(now.log_lines);
  text.family("lockstep_log_lines_lost_total", "counter", "Lines that could not be written.");
  text.sample(now.log_lines_lost);
  text.family("lockstep_timers_total", "counter", "Timers that ran.");
  text.sample(timers_);
}

void Metrics::write_traffic(MetricsText& text,
                            const MetricsNow& now,
                            const Traffic& traffic) const {
  text.family("lockstep_messages_in_total", "counter", "Messages that came, by kind.");
  for (size_t i = 0; i < messages_in_.size(); ++i) {
    text.sample(messages_in_[i], {{"kind", message_names[i]}});
  }
  text.family("lockstep_messages_out_total", "counter", "Messages that the node sent, by kind.");
  for (size_t i = 0; i < messages_out_.size(); ++i) {
    text.sample(messages_out_[i], {{"kind", message_names[i]}});
  }
  text.family("lockstep_messages_dropped_total",
              "counter",
              "Messages out that the connections did not take: too much waits for the peer.");
  text.sample(now.host.dropped_out);
  text.family("lockstep_network_bytes_total", "counter", "Bytes inside of TLS.");
  text.sample(traffic.bytes_in, {{"direction", "in"}});
  text.sample(traffic.bytes_out, {{"direction", "out"}});
  text.family("lockstep_links", "gauge", "Links that are open, before and after their hello.");
  text.sample(uint64_t{now.links});
  text.family("lockstep_links_opened_total", "counter", "Links on which both keys were proved.");
  text.sample(traffic.links_opened);
  text.family("lockstep_links_closed_total", "counter", "Links of those that have ended.");
  text.sample(traffic.links_closed);
  text.family("lockstep_dials_failed_total", "counter", "Links dialed that never opened.");
  text.sample(traffic.dials_failed);
  text.family("lockstep_links_refused_total", "counter", "Who came and was not let in.");
  text.sample(traffic.refused);
  text.family("lockstep_waiting_bytes", "gauge", "Messages for peers that are being reached.");
  text.sample(uint64_t{now.waiting_bytes});
  text.family("lockstep_held_bytes", "gauge", "Messages that have come in part or whole.");
  text.sample(uint64_t{now.held_bytes});
}

void Metrics::write_store(MetricsText& text, const MetricsNow& now, const Traffic& traffic) const {
  traffic.syncs.write(
      text, "lockstep_store_sync_seconds", "How long the store took to be durable, each time.");
  text.family("lockstep_store_failures_total", "counter", "Syncs of the store that failed.");
  text.sample(traffic.store_failures);
  text.family("lockstep_syncs_total", "counter", "Syncs, each before effects left.");
  text.sample(now.host.syncs);
}

void Metrics::write_work(MetricsText& text, const MetricsNow& now) const {
  text.family("lockstep_tasks_placed_total",
              "counter",
              "Tasks that came from requesters; of a requester: that it placed.");
  text.sample(placed_);
  text.family("lockstep_tasks_accepted_total",
              "counter",
              "Tasks for which there is a voucher; of a requester: that it gave one.");
  text.sample(accepted_);
  text.family("lockstep_tasks_declined_total",
              "counter",
              "Tasks that were declined; of a requester: that a provider declined.");
  text.sample(declined_);
  text.family("lockstep_work_total", "counter", "Finished work of the engine.");
  for (size_t i = 0; i < finished_.size(); ++i) {
    text.sample(finished_[i].ok, {{"kind", work_names[i]}, {"result", "ok"}});
    text.sample(finished_[i].failed, {{"kind", work_names[i]}, {"result", "failed"}});
  }
  text.family("lockstep_work_queued", "gauge", "Work that runs or waits to.");
  text.sample(uint64_t{running_.size()});
  text.family("lockstep_engine_operations_total",
              "counter",
              "Operations of work that went well, by the law's cost; traces are not counted.");
  text.sample(operations_);
  text.family("lockstep_engine_seconds_total", "counter", "Time that the engine worked.");
  text.sample(static_cast<double>(now.engine.compute_ns) / nanoseconds, {{"what", "compute"}});
  text.sample(static_cast<double>(now.engine.hash_ns) / nanoseconds, {{"what", "hash"}});
}

void Metrics::write_blobs(MetricsText& text) const {
  text.family("lockstep_blob_bytes_total", "counter", "Bytes of blobs, repeated pieces too.");
  text.sample(blob_bytes_in_, {{"direction", "fetched"}});
  text.sample(blob_bytes_out_, {{"direction", "served"}});
  text.family("lockstep_transactions_sent_total", "counter", "Transactions sent, by kind.");
  for (size_t i = 0; i < transactions_.size(); ++i) {
    text.sample(transactions_[i], {{"kind", transaction_names[i]}});
  }
}

void Metrics::write_ledger(MetricsText& text, const MetricsNow& now) const {
  if (of_.role == NodeRole::ledger || of_.role == NodeRole::requester) {
    text.family("lockstep_ledger_events_total",
                "counter",
                "What blocks did since this process began; of a requester: to its job.");
    for (size_t i = 0; i < events_.size(); ++i) {
      text.sample(events_[i], {{"event", event_names[i]}});
    }
  }
  if (now.state == nullptr) {
    return;
  }
  const ledger::State& state = *now.state;
  text.family("lockstep_ledger_height", "gauge", "Blocks that this node knows.");
  text.sample(state.totals.height);
  if (state.totals.height > 0) {
    const uint64_t age = now.now_ms - std::min(now.now_ms, state.totals.time_ms);
    text.family("lockstep_ledger_last_block_age_seconds", "gauge", "Since the last block's time.");
    text.sample(static_cast<double>(age) / milliseconds);
  }
  text.family("lockstep_ledger_records", "gauge", "Records of the ledger, by kind.");
  text.sample(uint64_t{state.nodes.size()}, {{"kind", "node"}});
  text.sample(uint64_t{state.jobs.size()}, {{"kind", "job"}});
  text.sample(uint64_t{state.leases.size()}, {{"kind", "lease"}});
  text.sample(uint64_t{state.claims.size()}, {{"kind", "claim"}});
  text.sample(uint64_t{state.disputes.size()}, {{"kind", "open_dispute"}});
}

void Metrics::write_money(MetricsText& text, const ledger::State& state) {
  if (of_.role == NodeRole::provider) {
    earnings_.look(state);
    text.family("lockstep_money_earned_lks", "gauge", "Paid to this node's leases, in LKS.");
    text.sample(earnings_.paid());
    text.family("lockstep_money_pending_lks", "gauge", "Claimed by them and not final, in LKS.");
    text.sample(earnings_.pending());
  }
  const auto account = state.accounts.find(of_.owner);
  if (account != state.accounts.end()) {
    text.family("lockstep_owner_lks", "gauge", "The owner's account, in LKS.");
    text.sample(account->second.balance, {{"what", "balance"}});
    text.sample(account->second.stake, {{"what", "stake"}});
    text.sample(account->second.locked, {{"what", "locked_stake"}});
  }
  text.family("lockstep_ledger_pool_lks", "gauge", "The network's pools, in LKS.");
  text.sample(state.totals.burned, {{"pool", "burned"}});
  text.sample(state.totals.treasury, {{"pool", "treasury"}});
}

}  // namespace lockstep::apps
