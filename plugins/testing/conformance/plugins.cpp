#include "plugins.h"

#include <functional>
#include <stdexcept>

#include "expressions.h"
#include "fields.h"
#include "text.h"

namespace conformance {
namespace {

using nvinfer1::DataType;
using nvinfer1::DynamicPluginTensorDesc;
using nvinfer1::PluginCapabilityType;
using nvinfer1::PluginTensorDesc;
using nvinfer1::TensorFormat;

class NoResources final : public nvinfer1::IPluginResourceContext {
 public:
  nvinfer1::IGpuAllocator* getGpuAllocator() const noexcept override { return nullptr; }
  nvinfer1::IErrorRecorder* getErrorRecorder() const noexcept override { return nullptr; }
};

// The tensors of a command: "<id> <number of inputs> <tensor>..".
struct Tensors {
  std::int32_t num_inputs = 0;
  std::vector<Tensor> all;
  std::vector<PluginTensorDesc> descs;
  std::vector<DynamicPluginTensorDesc> dynamic_descs;

  explicit Tensors(const Words& words) : num_inputs(std::stoi(words.at(1))) {
    for (std::size_t index = 2; index < words.size(); ++index) {
      all.push_back(parse_tensor(words[index]));
      descs.push_back(all.back().desc);
      dynamic_descs.push_back(all.back().dynamic_desc());
    }
  }
  std::int32_t num_outputs() const { return static_cast<std::int32_t>(all.size()) - num_inputs; }
};

void require_success(std::int32_t code) {
  if (code != 0) throw std::runtime_error("returned " + std::to_string(code));
}

Words without_first(const Words& words, std::size_t count) {
  return {words.begin() + static_cast<std::ptrdiff_t>(count), words.end()};
}

std::string describe(const PluginTensorDesc& desc) {
  return std::to_string(static_cast<int>(desc.type)) + "." +
         std::to_string(static_cast<int>(desc.format));
}

}  // namespace

std::string Plugins::list() const {
  std::string text;
  for (nvinfer1::IPluginCreatorV3One* const creator : registry_.loaded()) {
    text += (text.empty() ? "" : ";") + std::string(creator->getPluginName()) + "|" +
            creator->getPluginVersion() + "|" + creator->getPluginNamespace() + "|" +
            conformance::describe(*creator->getFieldNames());
  }
  return text;
}

// create <id> <name> <namespace or -> <phase> <field>..
std::string Plugins::create(const Words& words) {
  const std::string plugin_namespace = words.at(2) == "-" ? "" : words[2];
  auto& creator = registry_.creator(words.at(1), "1", plugin_namespace);
  const Fields fields(without_first(words, 4));
  const auto phase = static_cast<nvinfer1::TensorRTPhase>(std::stoi(words.at(3)));
  hold(words[0], creator.createPlugin("layer", fields.get(), phase));
  return "";
}

std::string Plugins::clone(const Words& words) {
  hold(words.at(0), find(words.at(1)).plugin->clone());
  return "";
}

std::string Plugins::attach(const Words& words) {
  NoResources context;
  hold(words.at(0), find(words.at(1)).runtime->attachToContext(&context));
  return "";
}

// What an engine file does: the fields to serialise go to the creator of the plugin's own names.
std::string Plugins::reload(const Words& words) {
  const Held& old = find(words.at(1));
  auto& creator = registry_.creator(old.core->getPluginName(), old.core->getPluginVersion(),
                                    old.core->getPluginNamespace());
  hold(words[0], creator.createPlugin("layer", old.runtime->getFieldsToSerialize(),
                                      nvinfer1::TensorRTPhase::kRUNTIME));
  return "";
}

std::string Plugins::destroy(const Words& words) {
  find(words.at(0));
  held_.erase(words[0]);
  return "";
}

std::string Plugins::identity(const Words& words) {
  const Held& held = find(words.at(0));
  return std::string(held.core->getPluginName()) + "|" + held.core->getPluginVersion() + "|" +
         held.core->getPluginNamespace() + "|" + held.build->getMetadataString() + "|" +
         held.build->getTimingCacheID() + "|" + std::to_string(held.build->getNbOutputs());
}

std::string Plugins::fields(const Words& words) {
  const auto* const fields = find(words.at(0)).runtime->getFieldsToSerialize();
  if (fields == nullptr) throw std::runtime_error("no fields");
  return conformance::describe(*fields);
}

// types <id> <type>.. -> the outputs' types
std::string Plugins::types(const Words& words) {
  std::vector<DataType> inputs;
  for (const std::string& word : without_first(words, 1)) {
    inputs.push_back(static_cast<DataType>(std::stoi(word)));
  }
  nvinfer1::IPluginV3OneBuild& build = *find(words.at(0)).build;
  std::vector<DataType> outputs(static_cast<std::size_t>(build.getNbOutputs()));
  require_success(build.getOutputDataTypes(outputs.data(), build.getNbOutputs(), inputs.data(),
                                           static_cast<std::int32_t>(inputs.size())));
  std::string text;
  for (const DataType type : outputs) {
    text += (text.empty() ? "" : " ") + std::to_string(static_cast<int>(type));
  }
  return text;
}

// shapes <id> <rank>.. -> the extents, "input.axis" or a number, of each output
std::string Plugins::shapes(const Words& words) {
  ExpressionBuilder builder;
  std::vector<nvinfer1::DimsExprs> inputs;
  for (std::size_t index = 1; index < words.size(); ++index) {
    nvinfer1::DimsExprs dims{};
    dims.nbDims = std::stoi(words[index]);
    for (std::int32_t axis = 0; axis < dims.nbDims; ++axis) {
      dims.d[axis] = builder.extent(static_cast<std::int32_t>(index) - 1, axis);
    }
    inputs.push_back(dims);
  }
  nvinfer1::IPluginV3OneBuild& build = *find(words.at(0)).build;
  std::vector<nvinfer1::DimsExprs> outputs(static_cast<std::size_t>(build.getNbOutputs()));
  require_success(build.getOutputShapes(inputs.data(), static_cast<std::int32_t>(inputs.size()),
                                        nullptr, 0, outputs.data(), build.getNbOutputs(), builder));
  std::string text;
  for (const nvinfer1::DimsExprs& output : outputs) {
    text += text.empty() ? "" : ";";
    for (std::int32_t axis = 0; axis < output.nbDims; ++axis) {
      const auto* const expression = static_cast<const Expression*>(output.d[axis]);
      text += (axis == 0 ? "" : " ") + expression->text();
    }
  }
  return text;
}

// formats <id> <number of inputs> -> every combination that is supported, by the search of a
// builder
std::string Plugins::formats(const Words& words) {
  nvinfer1::IPluginV3OneBuild& build = *find(words.at(0)).build;
  const std::int32_t num_inputs = std::stoi(words.at(1));
  const std::int32_t num_outputs = build.getNbOutputs();
  const std::int32_t num_tensors = num_inputs + num_outputs;
  std::vector<DynamicPluginTensorDesc> tensors(static_cast<std::size_t>(num_tensors));
  std::string text;
  const std::function<void(std::int32_t)> search = [&](std::int32_t position) {
    if (position == num_tensors) {
      for (std::int32_t index = 0; index < num_tensors; ++index) {
        const std::string separator = index > 0 ? "," : text.empty() ? "" : " ";
        text += separator + describe(tensors[static_cast<std::size_t>(index)].desc);
      }
      return;
    }
    PluginTensorDesc& desc = tensors[static_cast<std::size_t>(position)].desc;
    for (std::int32_t type = 0; type < nvinfer1::EnumMax<DataType>(); ++type) {
      for (std::int32_t format = 0; format < nvinfer1::EnumMax<TensorFormat>(); ++format) {
        desc.type = static_cast<DataType>(type);
        desc.format = static_cast<TensorFormat>(format);
        if (build.supportsFormatCombination(position, tensors.data(), num_inputs, num_outputs)) {
          search(position + 1);
        }
      }
    }
  };
  search(0);
  return text;
}

std::string Plugins::configure(const Words& words) {
  const Tensors tensors(words);
  const auto* const descs = tensors.dynamic_descs.data();
  require_success(find(words[0]).build->configurePlugin(
      descs, tensors.num_inputs, descs + tensors.num_inputs, tensors.num_outputs()));
  return "";
}

std::string Plugins::workspace(const Words& words) {
  const Tensors tensors(words);
  const auto* const descs = tensors.dynamic_descs.data();
  return std::to_string(find(words[0]).build->getWorkspaceSize(
      descs, tensors.num_inputs, descs + tensors.num_inputs, tensors.num_outputs()));
}

std::string Plugins::reshape(const Words& words) {
  const Tensors tensors(words);
  require_success(find(words[0]).runtime->onShapeChange(tensors.descs.data(), tensors.num_inputs,
                                                        tensors.descs.data() + tensors.num_inputs,
                                                        tensors.num_outputs()));
  return "";
}

// enqueue <id> <number of inputs> <tensor with file>..: reads the inputs, writes the outputs; the
// file
// "~" stands for a null pointer. The workspace is as large as the plugin asked for.
std::string Plugins::enqueue(const Words& words) {
  Held& held = find(words.at(0));
  const Tensors tensors(words);
  const std::size_t num_inputs = static_cast<std::size_t>(tensors.num_inputs);
  std::vector<GuardedBuffer> buffers;
  std::vector<void*> pointers;
  for (std::size_t index = 0; index < tensors.all.size(); ++index) {
    buffers.emplace_back(tensors.all[index].size_bytes());
  }
  for (std::size_t index = 0; index < tensors.all.size(); ++index) {
    const std::string& file = tensors.all[index].file;
    pointers.push_back(file == "~" ? nullptr : buffers[index].data());
    if (index < num_inputs && file != "~") buffers[index].read(file);
  }
  const auto* const dynamic_descs = tensors.dynamic_descs.data();
  GuardedBuffer workspace(held.build->getWorkspaceSize(
      dynamic_descs, tensors.num_inputs, dynamic_descs + num_inputs, tensors.num_outputs()));
  require_success(held.runtime->enqueue(tensors.descs.data(), tensors.descs.data() + num_inputs,
                                        pointers.data(), pointers.data() + num_inputs,
                                        workspace.data(), nullptr));
  for (std::size_t index = 0; index < buffers.size(); ++index) {
    if (!buffers[index].is_intact()) throw std::runtime_error("wrote outside of a tensor");
    if (index >= num_inputs) buffers[index].write(tensors.all[index].file);
  }
  if (!workspace.is_intact()) throw std::runtime_error("wrote outside of the workspace");
  return "";
}

// nulls <id> <number of inputs>: every method with null arrays -> what each returned
std::string Plugins::nulls(const Words& words) {
  Held& held = find(words.at(0));
  const std::int32_t num_inputs = std::stoi(words.at(1));
  const std::int32_t num_outputs = held.build->getNbOutputs();
  ExpressionBuilder builder;
  std::vector<std::int32_t> codes = {
      held.build->configurePlugin(nullptr, num_inputs, nullptr, num_outputs),
      held.build->getOutputDataTypes(nullptr, num_outputs, nullptr, num_inputs),
      held.build->getOutputShapes(nullptr, num_inputs, nullptr, 0, nullptr, num_outputs, builder),
      held.build->supportsFormatCombination(0, nullptr, num_inputs, num_outputs) ? 0 : 1,
      held.build->getWorkspaceSize(nullptr, num_inputs, nullptr, num_outputs) != 0 ? 0 : 1,
      held.runtime->onShapeChange(nullptr, num_inputs, nullptr, num_outputs),
      held.runtime->enqueue(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr),
      held.runtime->attachToContext(nullptr) == nullptr ? 1 : 0,
  };
  std::string text;
  for (const std::int32_t code : codes) text += (text.empty() ? "" : " ") + std::to_string(code);
  return text;
}

Plugins::Held& Plugins::find(const std::string& id) {
  const auto found = held_.find(id);
  if (found == held_.end()) throw std::runtime_error("there is no plugin " + id);
  return found->second;
}

void Plugins::hold(const std::string& id, nvinfer1::IPluginV3* plugin) {
  if (plugin == nullptr) throw std::runtime_error("null");
  Held held{std::unique_ptr<nvinfer1::IPluginV3>(plugin), nullptr, nullptr, nullptr};
  held.core = static_cast<nvinfer1::IPluginV3OneCore*>(
      plugin->getCapabilityInterface(PluginCapabilityType::kCORE));
  held.build = static_cast<nvinfer1::IPluginV3OneBuild*>(
      plugin->getCapabilityInterface(PluginCapabilityType::kBUILD));
  held.runtime = static_cast<nvinfer1::IPluginV3OneRuntime*>(
      plugin->getCapabilityInterface(PluginCapabilityType::kRUNTIME));
  if (held.core == nullptr || held.build == nullptr || held.runtime == nullptr) {
    throw std::runtime_error("the plugin lacks a capability");
  }
  held_[id] = std::move(held);
}

}  // namespace conformance
