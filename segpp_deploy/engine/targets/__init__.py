"""One module per target; `segpp_deploy.engine.target.TARGETS` names the classes."""
