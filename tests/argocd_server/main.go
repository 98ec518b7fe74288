// Argo CD's own code on both sides of a plugin's socket, for tests.
//
// `serve` is the plugin server, as `argocd-cmp-server` runs it in a sidecar. `ask` is the repo-server: it sends a
// repository to that server, reads the manifests that come back, and does with them what the repo-server does before it
// hands them on.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/v3/cmpserver"
	pluginclient "github.com/argoproj/argo-cd/v3/cmpserver/apiclient"
	"github.com/argoproj/argo-cd/v3/cmpserver/plugin"
	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/app/discovery"
	"github.com/argoproj/argo-cd/v3/util/cmp"
	"github.com/argoproj/gitops-engine/pkg/utils/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

const usage = `usage:
  argocd-server serve FOLDER_OF_PLUGIN_YAML
    serves the plugin, in the folder ARGOCD_PLUGINSOCKFILEPATH, with its work in ARGOCD_CMP_WORKDIR
  argocd-server ask [-timeout 60s] generate|parameters SOCKET REPOSITORY APPLICATION_PATH
    reads [["NAME", "VALUE"], ...] from stdin, prints {"manifests": ...}, {"parameters": ...} or {"error": "..."}
  argocd-server variables
    reads spec.source.plugin.parameters from stdin, prints ["NAME=VALUE", ...] as the repo-server makes them of these
`

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		err = serve(os.Args[2])
	case len(os.Args) > 2 && os.Args[1] == "ask":
		err = ask(os.Args[2:])
	case len(os.Args) == 2 && os.Args[1] == "variables":
		err = variables()
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(folder string) error {
	config, err := plugin.ReadPluginConfig(folder)
	if err != nil {
		return err
	}
	server, err := cmpserver.NewServer(plugin.CMPServerInitConstants{PluginConfig: *config})
	if err != nil {
		return err
	}
	server.Run()
	return nil
}

func variables() error {
	var parameters v1alpha1.ApplicationSourcePluginParameters
	if err := json.NewDecoder(os.Stdin).Decode(&parameters); err != nil {
		return fmt.Errorf("stdin: %w", err)
	}
	environ, err := parameters.Environ()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(environ)
}

// request is what the repo-server knows when it asks a plugin.
type request struct {
	plugin, repository, application string
	environment                     []string
}

type client = pluginclient.ConfigManagementPluginServiceClient

// ask prints the answer, which may be an error of the plugin; it returns only what keeps it from asking.
func ask(arguments []string) error {
	flags := flag.NewFlagSet("ask", flag.ExitOnError)
	timeout := flags.Duration("timeout", time.Minute, "after which the repo-server gives up")
	_ = flags.Parse(arguments)
	if flags.NArg() != 4 {
		return errors.New(usage)
	}
	var pairs [][2]string
	if err := json.NewDecoder(os.Stdin).Decode(&pairs); err != nil {
		return fmt.Errorf("stdin: %w", err)
	}
	socket, repository := flags.Arg(1), flags.Arg(2)
	r := request{
		plugin:      strings.TrimSuffix(filepath.Base(socket), ".sock"),
		repository:  repository,
		application: filepath.Join(repository, flags.Arg(3)),
	}
	name := ""
	for _, pair := range pairs {
		r.environment = append(r.environment, pair[0]+"="+pair[1])
		if pair[0] == "ARGOCD_APP_NAME" {
			name = pair[1]
		}
	}
	// Here the repo-server looks for the sockets of its plugins.
	if err := os.Setenv(common.EnvPluginSockFilePath, filepath.Dir(socket)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()

	answer := map[string]any{}
	var err error
	switch flags.Arg(0) {
	case "generate":
		if answer["manifests"], err = r.generate(ctx); err != nil {
			err = fmt.Errorf("CMP processing failed for application %q: %w", name, err)
		}
	case "parameters":
		answer["parameters"], err = r.parameters(ctx)
	default:
		return errors.New(usage)
	}
	if err != nil {
		answer = map[string]any{"error": err.Error()}
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

// generate follows GenerateManifests, runConfigManagementPluginSidecars and generateManifestsCMP of
// reposerver/repository, which would choose the variables themselves; only the tracking label is left out.
func (r request) generate(ctx context.Context) ([]any, error) {
	disconnect, client, err := r.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer disconnect()
	received, err := r.receiveManifests(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("error generating manifests in cmp: %w", err)
	}
	manifests := []any{}
	for _, text := range received.Manifests {
		objects, err := kube.SplitYAML([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("failed to convert CMP manifests to unstructured objects: %w", err)
		}
		for _, object := range objects {
			if object.IsList() {
				err = object.EachListItem(func(item runtime.Object) error {
					manifests = append(manifests, item.(*unstructured.Unstructured).Object)
					return nil
				})
				if err != nil {
					return nil, err
				}
			} else if !isNullList(object) {
				manifests = append(manifests, object.Object)
			}
		}
	}
	return manifests, nil
}

func (r request) connect(ctx context.Context) (func(), client, error) {
	conn, found, err := discovery.DetectConfigManagementPlugin(
		ctx, r.application, r.repository, r.plugin, r.environment, nil)
	if err != nil {
		return nil, nil, err
	}
	return func() { _ = conn.Close() }, found, nil
}

func (r request) receiveManifests(ctx context.Context, client client) (*pluginclient.ManifestResponse, error) {
	stream, err := client.GenerateManifest(ctx)
	if err != nil {
		return nil, fmt.Errorf("error getting generateManifestStream: %w", err)
	}
	err = cmp.SendRepoStream(stream.Context(), r.application, r.repository, stream, r.environment, nil)
	if err != nil {
		return nil, fmt.Errorf("error sending file to cmp-server: %w", err)
	}
	return stream.CloseAndRecv()
}

// parameters follows populatePluginAppDetails of reposerver/repository.
func (r request) parameters(ctx context.Context) (any, error) {
	disconnect, client, err := r.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to detect CMP for app: %w", err)
	}
	defer disconnect()
	stream, err := client.GetParametersAnnouncement(ctx)
	if err != nil {
		return nil, fmt.Errorf("error getting parametersAnnouncementStream: %w", err)
	}
	err = cmp.SendRepoStream(stream.Context(), r.application, r.repository, stream, r.environment, nil)
	if err != nil {
		return nil, fmt.Errorf("error sending file to cmp-server: %w", err)
	}
	received, err := stream.CloseAndRecv()
	if err != nil {
		return nil, fmt.Errorf("failed to get parameter announcement: %w", err)
	}
	return received.ParameterAnnouncements, nil
}

// isNullList is the repo-server's: an empty list, as some tools print it.
func isNullList(object *unstructured.Unstructured) bool {
	_, hasSpec := object.Object["spec"]
	_, hasStatus := object.Object["status"]
	items, hasItems := object.Object["items"]
	return !hasSpec && !hasStatus && hasItems && items == nil
}
