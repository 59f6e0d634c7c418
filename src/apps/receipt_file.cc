#include "apps/receipt_file.h"

#include <set>

#include "apps/teller.h"
#include "base/limits.h"

namespace lockstep::apps {
namespace {

using nlohmann::json;

constexpr const char* format_name = "lockstep-receipt-1";
constexpr int depth_max = 8;
constexpr size_t keys_max = 64;  // of one object

const char* word_of(ledger::LeaseStatus status) {
  switch (status) {
    case ledger::LeaseStatus::open:
      return "open";
    case ledger::LeaseStatus::closing:
      return "closing";
    case ledger::LeaseStatus::settled:
      return "settled";
    case ledger::LeaseStatus::slashed:
      return "slashed";
  }
  return "unknown";
}

const char* word_of(ledger::AuditPhase phase) {
  return phase == ledger::AuditPhase::done ? "done" : "lapsed";
}

const char* word_of(model::Outcome outcome) {
  return outcome == model::Outcome::refuted ? "refuted" : "holds";
}

std::string hex_of(const Hash& hash) {
  return to_hex(hash.view());
}

json to_json(const node::LeaseFact& fact) {
  return {{"name", readable(fact.name)},
          {"lease", hex_of(fact.lease.hash)},
          {"node", to_hex(fact.node.bytes)},
          {"owner", to_hex(fact.owner.bytes)},
          {"operations", fact.final_operations},
          {"paid", fact.paid.print()},
          {"paid_for_void_work", fact.paid_void.print()},
          {"status", word_of(fact.status)}};
}

json to_json(const node::DrawFact& fact) {
  return {{"claim", hex_of(fact.claim.hash)},
          {"block", fact.block},
          {"seed", hex_of(fact.seed)},
          {"requester_preimage", fact.requester_preimage},
          {"tasks", fact.tasks},
          {"audit", word_of(fact.phase)}};
}

json to_json(const node::VerdictFact& fact) {
  return {{"claim", hex_of(fact.claim.hash)},
          {"place", fact.task},
          {"task", name_of(fact.tag)},
          {"step", fact.place.step},
          {"operator", fact.place.record},
          {"fold_step", fact.fold_step},
          {"answers", fact.answers},
          {"answer_bytes", fact.answer_bytes},
          {"proof_bytes", fact.proof_bytes},
          {"outcome", word_of(fact.outcome)}};
}

template <class Fact>
json list_of(const std::vector<Fact>& facts) {
  json list = json::array();
  for (const Fact& fact : facts) {
    list.push_back(to_json(fact));
  }
  return list;
}

std::string kind_of(const model::Signed& transaction) {
  static constexpr const char* names[] = {"Transfer",
                                          "RegisterNode",
                                          "AddStake",
                                          "WithdrawStake",
                                          "RegisterProgram",
                                          "OpenJob",
                                          "OpenLease",
                                          "PostClaim",
                                          "RevealPreimage",
                                          "CommitAudit",
                                          "OpenSalts",
                                          "RevealAudit",
                                          "CommitChallenge",
                                          "Challenge",
                                          "AskOpen",
                                          "PostAnswer",
                                          "PostProof",
                                          "CloseLease",
                                          "CloseJob"};
  static_assert(std::size(names) == std::variant_size_v<model::Transaction>);
  const size_t index = transaction.body.empty() ? std::size(names) : transaction.body[0];
  return index < std::size(names) ? names[index] : "unknown";
}

template <class T>
std::string encoded(const T& value) {
  return to_hex(codec::encode(value));
}

/// Null for an output that the job does not have.
json output_json(const std::optional<node::ReceiptOutput>& output) {
  return output ? json(encoded(*output)) : json();
}

json evidence_of(const node::JobReceipt& receipt) {
  json headers = json::array();
  for (const model::Signed& header : receipt.headers) {
    headers.push_back(encoded(header));
  }
  json transactions = json::array();
  for (const node::ReceiptTransaction& one : receipt.transactions) {
    transactions.push_back({{"height", one.height},
                            {"kind", kind_of(one.transaction)},
                            {"transaction", encoded(one.transaction)},
                            {"inclusion", encoded(one.inclusion)}});
  }
  json entries = json::array();
  for (const node::ReceiptEntry& entry : receipt.entries) {
    entries.push_back({{"key", entry.key},
                       {"bytes", to_hex(entry.bytes)},
                       {"presence", encoded(entry.presence)}});
  }
  return {{"genesis", encoded(receipt.genesis)},
          {"job", encoded(receipt.job)},
          {"headers", std::move(headers)},
          {"transactions", std::move(transactions)},
          {"entries", std::move(entries)},
          {"parameters", receipt.parameters},
          {"model", output_json(receipt.model)},
          {"evaluation", output_json(receipt.evaluation)},
          {"correct", to_hex(receipt.correct)},
          {"test_images", receipt.test_images}};
}

/// A place in the file, with its name for errors.
struct At {
  const json* value = nullptr;
  std::string path;
};

/// Reads values of known form; `where_` is the file.
class Reader {
 public:
  explicit Reader(std::string where) : where_(std::move(where)) {}

  [[nodiscard]] Error bad(const std::string& path, std::string what) const {
    return refuse(Code::bad_receipt,
                  std::move(what),
                  "ask for the receipt again",
                  path.empty() ? where_ : where_ + ": " + path);
  }
  /// Exactly these keys.
  Result<void> keys(const At& at, std::initializer_list<const char*> names) const {
    if (!at.value->is_object()) {
      return bad(at.path, "this is no object");
    }
    for (const char* name : names) {
      if (!at.value->contains(name)) {
        return bad(at.path + "/" + name, "it is missing");
      }
    }
    if (at.value->size() != names.size()) {
      return bad(at.path, "it has keys that a receipt does not have");
    }
    return {};
  }
  /// Of an object that has the key.
  static At member(const At& at, const std::string& name) {
    return {&(*at.value)[name], at.path + "/" + name};
  }
  [[nodiscard]] Result<std::string> text(const At& at) const {
    const auto* value = at.value->get_ptr<const std::string*>();
    return value != nullptr ? Result<std::string>(*value) : bad(at.path, "this is no text");
  }
  [[nodiscard]] Result<uint64_t> number(const At& at) const {
    const auto* value = at.value->get_ptr<const uint64_t*>();
    return value != nullptr ? Result<uint64_t>(*value) : bad(at.path, "this is no whole number");
  }
  [[nodiscard]] Result<Bytes> bytes(const At& at) const {
    const auto* value = at.value->get_ptr<const std::string*>();
    if (value == nullptr) {
      return bad(at.path, "this is no text");
    }
    auto read = from_hex(*value);
    return read.ok() ? std::move(read) : bad(at.path, "this is no hexadecimal text");
  }
  template <class T>
  Result<T> record(const At& at) const {
    const Bytes read = TRY(bytes(at));
    auto value = codec::decode<T>(read);
    return value.ok() ? std::move(value)
                      : bad(at.path, "the bytes are not what stands here: " + value.error().what);
  }
  template <class T>
  Result<std::optional<T>> optional_record(const At& at) const {
    if (at.value->is_null()) {
      return std::optional<T>();
    }
    return std::optional<T>(TRY(record<T>(at)));
  }
  template <class T, class One>
  Result<std::vector<T>> list(const At& at, One one) const {
    if (!at.value->is_array()) {
      return bad(at.path, "this is no list");
    }
    std::vector<T> values;
    for (size_t i = 0; i < at.value->size(); ++i) {
      values.push_back(TRY(one(At{&(*at.value)[i], at.path + "/" + std::to_string(i)})));
    }
    return values;
  }

  Result<node::ReceiptTransaction> transaction(const At& at) const {
    TRY(keys(at, {"height", "kind", "transaction", "inclusion"}));
    node::ReceiptTransaction one;
    one.height = TRY(number(member(at, "height")));
    one.transaction = TRY(record<model::Signed>(member(at, "transaction")));
    one.inclusion = TRY(record<chain::Inclusion>(member(at, "inclusion")));
    if (TRY(text(member(at, "kind"))) != kind_of(one.transaction)) {
      return bad(at.path + "/kind", "the transaction is of another kind");
    }
    return one;
  }
  Result<node::ReceiptEntry> entry(const At& at) const {
    TRY(keys(at, {"key", "bytes", "presence"}));
    node::ReceiptEntry one;
    one.key = TRY(text(member(at, "key")));
    one.bytes = TRY(bytes(member(at, "bytes")));
    one.presence = TRY(record<ledger::Presence>(member(at, "presence")));
    return one;
  }
  Result<node::JobReceipt> evidence(const At& at) const {
    TRY(keys(at,
             {"genesis",
              "job",
              "headers",
              "transactions",
              "entries",
              "parameters",
              "model",
              "evaluation",
              "correct",
              "test_images"}));
    node::JobReceipt receipt;
    receipt.genesis = TRY(record<model::Genesis>(member(at, "genesis")));
    receipt.job = TRY(record<model::JobId>(member(at, "job")));
    receipt.headers = TRY(list<model::Signed>(
        member(at, "headers"), [&](const At& one) { return record<model::Signed>(one); }));
    receipt.transactions = TRY(list<node::ReceiptTransaction>(
        member(at, "transactions"), [&](const At& one) { return transaction(one); }));
    receipt.entries = TRY(
        list<node::ReceiptEntry>(member(at, "entries"), [&](const At& one) { return entry(one); }));
    receipt.parameters =
        TRY(list<std::string>(member(at, "parameters"), [&](const At& one) { return text(one); }));
    receipt.model = TRY(optional_record<node::ReceiptOutput>(member(at, "model")));
    receipt.evaluation = TRY(optional_record<node::ReceiptOutput>(member(at, "evaluation")));
    receipt.correct = TRY(bytes(member(at, "correct")));
    receipt.test_images = TRY(number(member(at, "test_images")));
    return receipt;
  }

 private:
  std::string where_;
};

/// Says why a file is refused while it is parsed: a key twice, which readers disagree about, or
/// more values than fit in memory. What follows is dropped.
class Watch {
 public:
  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (event == json::parse_event_t::object_end || event == json::parse_event_t::array_end) {
      if (event == json::parse_event_t::object_end && !keys_.empty()) {
        keys_.pop_back();
      }
      return fault_ == nullptr;
    }
    if (++values_ > limits::receipt_values_max) {
      fault_ = "it has more values than any receipt";
    }
    if (depth > depth_max) {
      fault_ = "it is nested deeper than any receipt";
    }
    if (event == json::parse_event_t::object_start && fault_ == nullptr) {
      keys_.emplace_back();
    }
    if (event == json::parse_event_t::key && fault_ == nullptr) {
      note_key(parsed);
    }
    return fault_ == nullptr;
  }
  [[nodiscard]] const char* fault() const { return fault_; }

 private:
  void note_key(const json& parsed) {
    const auto* key = parsed.get_ptr<const std::string*>();
    if (key == nullptr || keys_.empty() || !keys_.back().insert(*key).second) {
      fault_ = "it has a key twice";
    } else if (keys_.back().size() > keys_max) {
      fault_ = "it has keys that a receipt does not have";
    }
  }

  std::vector<std::set<std::string>> keys_;  // of the objects around
  size_t values_ = 0;
  const char* fault_ = nullptr;
};

json accuracy_of(const node::JobFacts& facts) {
  if (!facts.correct || facts.test_images == 0) {
    return {};
  }
  const double percent =
      100 * static_cast<double>(*facts.correct) / static_cast<double>(facts.test_images);
  return text_of("%.2f %%", percent);
}

}  // namespace

std::string readable(const std::string& text) {
  // Written and read again: what is no UTF-8 is replaced.
  const std::string written = json(text).dump(-1, ' ', false, json::error_handler_t::replace);
  const json read = json::parse(written, nullptr, false);
  const auto* found = read.get_ptr<const std::string*>();
  std::string clean = found == nullptr ? std::string() : *found;
  for (char& letter : clean) {
    const auto byte = static_cast<unsigned char>(letter);
    letter = byte < 0x20 || byte == 0x7f ? '?' : letter;
  }
  return clean;
}

json summary_of(const node::JobFacts& facts) {
  const auto escrow = facts.work_price.add(facts.audit_budget);
  return {{"job", readable(facts.name)},
          {"tasks", facts.tasks},
          {"operations", facts.operations},
          {"price_per_unit", facts.price_per_unit.print()},
          {"work_price", facts.work_price.print()},
          {"audit_budget", facts.audit_budget.print()},
          {"escrow", escrow.ok() ? json(escrow->print()) : json()},
          {"paid", facts.paid.print()},
          {"claimed_tasks", facts.claimed_tasks},
          {"final_tasks", facts.final_tasks},
          {"void_tasks", facts.void_tasks},
          {"leases", list_of(facts.leases)},
          {"draws", list_of(facts.draws)},
          {"verdicts", list_of(facts.verdicts)},
          {"accuracy", accuracy_of(facts)},
          {"correct", facts.correct ? json(*facts.correct) : json()},
          {"test_images", facts.test_images},
          {"model_root", facts.model_root ? json(hex_of(*facts.model_root)) : json()},
          {"headers", facts.headers},
          {"transactions", facts.transactions},
          {"trust", "the network's operator is trusted for order and liveness, for nothing else"}};
}

Result<Bytes> write_receipt_json(const node::JobReceipt& receipt) {
  const node::JobFacts facts = TRY(node::check_receipt(receipt));
  // What people read comes first.
  nlohmann::ordered_json file;
  file["format"] = format_name;
  file["summary"] = summary_of(facts);
  file["evidence"] = evidence_of(receipt);
  const std::string text =
      file.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (text.size() > limits::receipt_bytes_max) {
    return refuse(Code::too_large, "the receipt is larger than a receipt may be");
  }
  return Bytes(text.begin(), text.end());
}

Result<ReceiptFile> read_receipt_file(ByteView bytes, const std::string& where) {
  const Reader reader(where);
  if (bytes.size() > limits::receipt_bytes_max) {
    return reader.bad({}, "the file is larger than a receipt may be");
  }
  Watch watch;
  json file = json::parse(bytes.begin(), bytes.end(), std::ref(watch), false);
  if (watch.fault() != nullptr) {
    return reader.bad({}, watch.fault());
  }
  if (file.is_discarded()) {
    return reader.bad({}, "this is no JSON");
  }
  const At top{&file, {}};
  TRY(reader.keys(top, {"format", "summary", "evidence"}));
  if (TRY(reader.text(Reader::member(top, "format"))) != format_name) {
    return reader.bad("/format", std::string("only ") + format_name + " is understood");
  }
  ReceiptFile read;
  read.receipt = TRY(reader.evidence(Reader::member(top, "evidence")));
  read.summary = std::move(file["summary"]);
  return read;
}

Result<node::JobReceipt> read_receipt_json(ByteView bytes, const std::string& where) {
  return std::move(TRY(read_receipt_file(bytes, where)).receipt);
}

}  // namespace lockstep::apps
