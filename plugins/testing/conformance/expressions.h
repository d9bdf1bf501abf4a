// An expression builder of our own: TensorRT gives out none without building a network.
#pragma once

#include <NvInferRuntime.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace conformance {

// An expression that is a constant or stands for an extent; `text` names it.
class Expression final : public nvinfer1::IDimensionExpr {
 public:
  explicit Expression(std::string text) : Expression(std::move(text), false, 0) {}
  explicit Expression(std::int64_t value) : Expression(std::to_string(value), true, value) {}

  const std::string& text() const { return text_; }

 private:
  struct Body final : nvinfer1::apiv::VDimensionExpr {
    bool is_constant = false;
    std::int64_t value = 0;
    bool isConstant() const override { return is_constant; }
    std::int64_t getConstantValue() const override { return value; }
    bool isSizeTensor() const override { return false; }
  };

  Expression(std::string text, bool is_constant, std::int64_t value) : text_(std::move(text)) {
    body_.is_constant = is_constant;
    body_.value = value;
    mImpl = &body_;
  }

  std::string text_;
  Body body_;
};

// Keeps all expressions that it makes.
class ExpressionBuilder final : public nvinfer1::IExprBuilder {
 public:
  ExpressionBuilder() {
    body_.owner = this;
    mImpl = &body_;
  }

  const nvinfer1::IDimensionExpr* extent(std::int32_t input, std::int32_t axis) {
    return keep(std::make_unique<Expression>(std::to_string(input) + "." + std::to_string(axis)));
  }

 private:
  struct Body final : nvinfer1::apiv::VExprBuilder {
    ExpressionBuilder* owner = nullptr;
    const nvinfer1::IDimensionExpr* constant(std::int64_t value) override {
      return owner->keep(std::make_unique<Expression>(value));
    }
    const nvinfer1::IDimensionExpr* operation(nvinfer1::DimensionOperation,
                                              const nvinfer1::IDimensionExpr&,
                                              const nvinfer1::IDimensionExpr&) override {
      return nullptr;  // no op computes an extent from others
    }
    const nvinfer1::IDimensionExpr* declareSizeTensor(std::int32_t, const nvinfer1::IDimensionExpr&,
                                                      const nvinfer1::IDimensionExpr&) override {
      return nullptr;
    }
  };

  const nvinfer1::IDimensionExpr* keep(std::unique_ptr<Expression> expression) {
    kept_.push_back(std::move(expression));
    return kept_.back().get();
  }

  std::vector<std::unique_ptr<Expression>> kept_;
  Body body_;
};

}  // namespace conformance
