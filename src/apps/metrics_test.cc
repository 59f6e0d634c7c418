// Metrics as text: what is counted is what happened, once, and every line is one that Prometheus
// reads.
#include "apps/metrics.h"

#include <gtest/gtest.h>

#include "apps/test_prometheus.h"

namespace lockstep::apps {
namespace {

Hash some_hash(uint8_t first) {
  Hash hash;
  hash.bytes[0] = first;
  return hash;
}

crypto::PublicKey some_key(uint8_t first) {
  crypto::PublicKey key;
  key.bytes[0] = first;
  return key;
}

template <class T>
model::Signed paper(model::SignedKind kind, uint64_t nonce, const T& body) {
  model::Signed made;
  made.kind = kind;
  made.nonce = nonce;
  made.signer = some_key(9);
  made.body = codec::encode(body);
  return made;
}

Metrics metrics_of(NodeRole role, const std::string& name = "provider-1") {
  return Metrics({name, role, some_key(1), some_key(2)});
}

TEST(Metrics, TextIsEscaped) {
  MetricsText text;
  text.family("family", "gauge", "a \\ and\nanother \"line\"");
  text.sample(uint64_t{18'446'744'073'709'551'615U}, {{"label", "a\"b\\c\nd"}, {"other", ""}});
  text.sample(0.25);
  text.sample(1e-300, {{"label", "small"}});
  text.sample(-4e20, {{"label", "large"}});
  text.sample(*Amount::parse("-12.000000001 LKS"), {{"label", "x"}});
  const std::string lines = text.take();
  EXPECT_EQ(lines,
            "# HELP family a \\\\ and\\nanother \"line\"\n"
            "# TYPE family gauge\n"
            "family{label=\"a\\\"b\\\\c\\nd\",other=\"\"} 18446744073709551615\n"
            "family 0.25\n"
            "family{label=\"small\"} 1e-300\n"
            "family{label=\"large\"} -4e+20\n"
            "family{label=\"x\"} -12.000000001\n");
  const PrometheusPage page(lines);
  EXPECT_EQ(page.size(), 5U);
}

TEST(Metrics, DurationsMakeAHistogram) {
  Durations durations;
  for (const double seconds : {0.00005, 0.0001, 0.002, 0.3, 7.0}) {
    durations.add(seconds);
  }
  MetricsText text;
  durations.write(text, "took_seconds", "x");
  const PrometheusPage page(text.take());
  EXPECT_EQ(page.at("took_seconds_bucket{le=\"0.0001\"}"), 2);
  EXPECT_EQ(page.at("took_seconds_bucket{le=\"0.0025\"}"), 3);
  EXPECT_EQ(page.at("took_seconds_bucket{le=\"1\"}"), 4);
  EXPECT_EQ(page.at("took_seconds_bucket{le=\"5\"}"), 4);
  EXPECT_EQ(page.at("took_seconds_bucket{le=\"+Inf\"}"), 5);
  EXPECT_NEAR(page.at("took_seconds_sum"), 7.30215, 1e-9);
}

TEST(Metrics, WhatIsSaidAgainCountsOnce) {
  Metrics metrics = metrics_of(NodeRole::provider);
  metrics.on_start(1000);
  const net::Assign assign{paper(model::SignedKind::assignment, 0, model::Assignment())};
  const net::Assign other{paper(model::SignedKind::assignment, 1, model::Assignment())};
  const model::TaskId task{some_hash(5)};
  const net::GiveVoucher voucher{
      paper(model::SignedKind::voucher, 0, model::Voucher{task, some_hash(6)})};
  const model::Signed claim = paper(
      model::SignedKind::transaction, 3, model::Transaction(model::PostClaim{{some_hash(7)}, {}}));
  for (int i = 0; i < 3; ++i) {
    metrics.on_message(2000, some_key(3), assign);
    metrics.on_message(2000, some_key(3), voucher);
    metrics.on_effect(2000, node::Send{some_key(3), net::SubmitTransaction{claim}});
    metrics.on_effect(2000, node::Send{some_key(3), net::Decline{task, "no room"}});
  }
  metrics.on_message(2000, some_key(3), other);
  metrics.on_message(2000, some_key(3), net::GiveVoucher{});  // no voucher at all
  metrics.on_effect(2000, node::Send{some_key(3), net::SubmitTransaction{}});
  const PrometheusPage page(metrics.render({}, {}));
  EXPECT_EQ(page.at("lockstep_messages_in_total{kind=\"assign\"}"), 4);
  EXPECT_EQ(page.at("lockstep_messages_out_total{kind=\"submit_transaction\"}"), 4);
  EXPECT_EQ(page.at("lockstep_tasks_placed_total"), 2);
  EXPECT_EQ(page.at("lockstep_tasks_accepted_total"), 1);
  EXPECT_EQ(page.at("lockstep_tasks_declined_total"), 1);
  EXPECT_EQ(page.at("lockstep_transactions_sent_total{kind=\"post_claim\"}"), 1);
  EXPECT_EQ(page.at("lockstep_transactions_sent_total{kind=\"transfer\"}"), 0);
}

TEST(Metrics, WorkIsCountedByItsEnd) {
  Metrics metrics = metrics_of(NodeRole::provider);
  node::RunTask work;
  work.task.operations = 500;
  for (const auto& [id, kind] : {std::pair(1, node::WorkKind::execute),
                                 std::pair(2, node::WorkKind::trace),
                                 std::pair(3, node::WorkKind::steps),
                                 std::pair(4, node::WorkKind::execute)}) {
    work.id = static_cast<uint64_t>(id);
    work.kind = kind;
    metrics.on_effect(0, work);
  }
  metrics.on_work(0, {1, {model::Execution()}});
  metrics.on_work(0, {2, {model::StepTrace()}});
  metrics.on_work(0, {3, {refuse(Code::wrong_task, "x")}});
  metrics.on_work(0, {77, {model::Execution()}});  // of an earlier life
  MetricsNow now;
  now.engine = {2'500'000'000, 500'000'000};
  const PrometheusPage page(metrics.render(now, {}));
  EXPECT_EQ(page.at("lockstep_work_total{kind=\"execute\",result=\"ok\"}"), 1);
  EXPECT_EQ(page.at("lockstep_work_total{kind=\"steps\",result=\"failed\"}"), 1);
  EXPECT_EQ(page.at("lockstep_work_total{kind=\"trace\",result=\"ok\"}"), 1);
  EXPECT_EQ(page.at("lockstep_work_queued"), 1);
  EXPECT_EQ(page.at("lockstep_engine_operations_total"), 500);
  EXPECT_EQ(page.at("lockstep_engine_seconds_total{what=\"compute\"}"), 2.5);
  EXPECT_EQ(page.at("lockstep_engine_seconds_total{what=\"hash\"}"), 0.5);
}

TEST(Metrics, ANamesMarkupDoesNotBreakThePage) {
  Metrics metrics = metrics_of(NodeRole::ledger, "a\"} 1\nevil_total 7\\");
  metrics.on_start(5'000);
  metrics.on_effect(6'000,
                    node::Tell{node::LedgerNews{1, 6'000, ledger::JobOpened{{some_hash(1)}}}});
  ledger::State state;
  state.totals.height = 7;
  state.totals.time_ms = 8'000;
  state.accounts[some_key(2)] = {*Amount::parse("3 LKS"), *Amount::parse("2 LKS"), Amount()};
  MetricsNow now;
  now.now_ms = 9'500;
  now.state = &state;
  const PrometheusPage page(metrics.render(now, {}));
  EXPECT_FALSE(page.has("evil_total"));
  EXPECT_EQ(page.at("lockstep_uptime_seconds"), 4.5);
  EXPECT_EQ(page.at("lockstep_ledger_height"), 7);
  EXPECT_EQ(page.at("lockstep_ledger_last_block_age_seconds"), 1.5);
  EXPECT_EQ(page.at("lockstep_ledger_events_total{event=\"job_opened\"}"), 1);
  EXPECT_EQ(page.at("lockstep_owner_lks{what=\"stake\"}"), 2);
}

TEST(Metrics, EarningsAreFoundInALongLedger) {
  ledger::State state;
  const size_t leases = 3 * Earnings::leases_max + 110;
  int64_t paid = 0;
  for (size_t i = 0; i < leases; ++i) {
    model::LeaseId id;
    id.hash.bytes[0] = static_cast<uint8_t>(i >> 8);
    id.hash.bytes[1] = static_cast<uint8_t>(i);
    ledger::Lease& lease = state.leases[id];
    lease.node = some_key(i % 100 == 0 ? 1 : 8);
    lease.paid = Amount::from_nano(static_cast<int64_t>(i));
    lease.pending = Amount::from_nano(5);
    paid += i % 100 == 0 ? static_cast<int64_t>(i) : 0;
  }
  Earnings earnings(some_key(1));
  for (int look = 0; look < 4; ++look) {
    EXPECT_LT(earnings.paid().nano(), paid);
    earnings.look(state);
  }
  EXPECT_EQ(earnings.paid().nano(), paid);
  EXPECT_EQ(earnings.pending().nano(), static_cast<int64_t>(5 * ((leases + 99) / 100)));
  // A new one before all others is found, too, and what changes is seen at once.
  ledger::Lease& added = state.leases[{}];
  added.node = some_key(1);
  added.paid_void = Amount::from_nano(1000);
  for (int look = 0; look < 4; ++look) {
    earnings.look(state);
  }
  EXPECT_EQ(earnings.paid().nano(), paid + 1000);
}

}  // namespace
}  // namespace lockstep::apps
