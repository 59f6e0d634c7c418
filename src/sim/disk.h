// A simulated disk: a key-value store over a journal of checksummed records, whose unsynced tail a
// crash may lose or tear.
#pragma once

#include "env/key_value.h"
#include "sim/random.h"

namespace lockstep::sim {

class Disk final : public env::KeyValue {
 public:
  /// io_failed once the machine is down.
  Result<std::optional<Bytes>> get(const std::string& key) override;
  /// One journal record: written, then synced, then acknowledged.
  Result<void> apply(std::vector<Change> batch) override;

  /// The machine goes down inside the next apply(): the record is lost, torn or, rarely, whole, as
  /// chance has it; apply() fails.
  void arm(const Random& random) { armed_ = random; }
  [[nodiscard]] bool is_armed() const { return armed_.has_value(); }
  /// Goes down now: nothing unsynced is left to lose.
  void stop() { down_ = true; }
  [[nodiscard]] bool is_down() const { return down_; }
  /// Comes up again: reads the journal, drops what follows the last whole record.
  void restart();

 private:
  void replay();
  Bytes journal_;
  std::map<std::string, Bytes> values_;
  std::optional<Random> armed_;
  bool down_ = false;
};

}  // namespace lockstep::sim
