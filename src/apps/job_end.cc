#include "apps/job_end.h"

#include <algorithm>

#include "apps/receipt_file.h"
#include "apps/results_table.h"
#include "exec/memory_need.h"
#include "formats/safetensors.h"
#include "law/roots.h"

namespace lockstep::apps {

Result<uint64_t> memory_of(const model::Job& job) {
  constexpr uint32_t steps = 1;  // short tasks need the most
  uint64_t most = 0;
  for (const model::NamedProgram& named : job.programs) {
    const law::Program program = TRY(law::decode(named.ref.bytes));
    most = std::max(most, exec::memory_need(program, steps).most());
  }
  return most;
}

Result<uint64_t> tell_plan(const Report& report, const model::Job& job) {
  const auto planner = TRY(plan::make_planner(job));
  report.tell(text_of("job %s: %s tasks, %s, %s units of work",
                      job.spec.name.c_str(),
                      std::to_string(planner->task_count()).c_str(),
                      planner->about().c_str(),
                      units_of(planner->operations()).c_str()),
              "plan",
              {{"job", job.spec.name},
               {"tasks", planner->task_count()},
               {"operations", planner->operations()},
               {"train_program", to_hex(job.programs.front().ref.root.view())}});
  return planner->operations();
}

Result<void> tell_results(const JobEnd& end, const node::JobFinished& finished) {
  tell_table(end.report, finished.table);
  if (finished.correct) {
    const auto images = static_cast<double>(finished.test_images);
    const double percent = 100 * static_cast<double>(*finished.correct) / images;
    end.report.tell(text_of("accuracy: %.2f %%", percent),
                    "accuracy",
                    {{"percent", percent}, {"correct", *finished.correct}});
  }
  std::vector<formats::NamedTensor> weights;
  std::vector<std::pair<std::string, Hash>> roots;
  for (size_t i = 0; i < finished.parameters.size(); ++i) {
    const auto& [name, leaf] = finished.parameters[i];
    const law::Shape& shape = end.model.parameters().at(i).tensor.shape;
    const law::Tensor tensor{shape, TRY(end.blobs.get(leaf.data))};
    weights.push_back({name, end.model.to_onnx_layout(i, tensor)});
    roots.emplace_back(name, leaf.root);
  }
  if (!end.out_folder.empty()) {
    const std::string path = end.out_folder + "/" + end.job.spec.outputs.weights;
    TRY(end.files.write(path, TRY(formats::write_safetensors(weights))));
    end.report.aside("model: " + path, "model", {{"path", path}});
  }
  const std::string root = to_hex(law::model_root(roots).view());
  end.report.tell("model root: " + root, "model_root", {{"root", root}});
  return {};
}

Result<void> write_receipt(const JobEnd& end,
                           const model::Genesis& genesis,
                           const std::vector<model::Block>& blocks,
                           const ledger::State& state,
                           const node::Requester& requester) {
  if (end.out_folder.empty()) {
    return {};
  }
  const node::ReceiptParts parts = TRY(requester.receipt_parts());
  const node::JobReceipt receipt =
      TRY(node::make_receipt(genesis, blocks, state, *requester.job_id(), parts));
  const std::string path = end.out_folder + "/receipt.json";
  TRY(end.files.write(path, TRY(write_receipt_json(receipt))));
  end.report.aside("receipt: " + path + " (check it: lockstep verify " + path + ")",
                   "receipt",
                   {{"path", path}});
  return {};
}

}  // namespace lockstep::apps
