# The program alone, without a shell or a package: docker build --build-arg VERSION=v1.0.0 .
FROM golang:1.26.8-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o /out/vouch ./cmd/vouch \
 && mkdir -p /out/state/changevouch

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/vouch /vouch
# Whoever mounts a volume here finds it writable for the user below.
COPY --from=build --chown=65532:65532 --chmod=700 /out/state /var/lib
ENV XDG_STATE_HOME=/var/lib
USER 65532:65532
EXPOSE 8420
ENTRYPOINT ["/vouch"]
CMD ["serve"]
