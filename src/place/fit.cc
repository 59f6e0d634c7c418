#include "place/fit.h"

#include <algorithm>
#include <array>

#include "place/place.h"

namespace lockstep::place {
namespace {

struct Measure {
  uint64_t need, used, all;
};

/// Short, unless what is needed and what it is compared with would read alike.
std::array<std::string, 2> texts_of(uint64_t need, uint64_t limit) {
  const std::array<std::string, 2> texts = {text_of_bytes(need), text_of_bytes(limit)};
  return texts[0] != texts[1]
             ? texts
             : std::array{std::to_string(need) + " bytes", std::to_string(limit) + " bytes"};
}
std::array<std::string, 2> counts_of(uint64_t need, uint64_t limit) {
  return {std::to_string(need), std::to_string(limit)};
}

Result<void> fits_one(const Measure& measure,
                      const std::string& of,
                      std::array<std::string, 2> (*texts)(uint64_t, uint64_t)) {
  if (measure.need > measure.all) {
    const auto [need, all] = texts(measure.need, measure.all);
    return refuse(Code::no_offer,
                  "the task needs " + need + of + ", the slice has " + all,
                  "choose a machine that lends more");
  }
  const uint64_t left = measure.all - std::min(measure.all, measure.used);
  if (measure.need > left) {
    const auto [need, rest] = texts(measure.need, left);
    return refuse(Code::wrong_state,
                  "the task needs " + need + of + ", the slice has " + rest + " left",
                  "wait until a task in hand is delivered");
  }
  return {};
}

}  // namespace

Result<void> fits(const model::Slice& slice, const InUse& used, const TaskNeed& need) {
  const Measure memory{need.memory_bytes, used.memory_bytes, slice.memory_bytes};
  const Measure disk{need.disk_bytes, used.disk_bytes, slice.disk_bytes};
  const Measure threads{need.threads, used.threads, slice.cpus};
  TRY(fits_one(memory, " of memory", texts_of));
  TRY(fits_one(disk, " of disk", texts_of));
  return fits_one(threads, " processors", counts_of);
}

}  // namespace lockstep::place
