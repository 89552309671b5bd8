-- What wrk sends: an event's 600 bytes, one POST each.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/cloudevents+json"
wrk.body = string.rep("x", 600)
